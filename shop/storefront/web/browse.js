// The products, all or those that a search finds, a page at a time.

import { call, remember } from './api.js';
import { art } from './art.js';
import { add, basket, quantityOf } from './basket.js';
import { busy, fault, h, money, say, title } from './dom.js';
import { stepper } from './stepper.js';

const pageSize = 24;

// browse shows the products that contain all words of query.
export function browse({ query, signal }) {
  const grid = h('ul', { class: 'grid' });
  const foot = h('div', { class: 'more' });
  const words = query.trim();

  async function more(after, focus) {
    foot.replaceChildren(h('p', { class: 'dim' }, 'Fetching products…'));
    const params = new URLSearchParams({ limit: pageSize });
    if (after) params.set('after', after);
    if (words) params.set('q', words);
    try {
      const page = await call('GET', `/products?${params}`, { signal });
      remember(page.products);
      const cards = page.products.map((p) => card(p, signal));
      grid.append(...cards);
      if (focus) cards[0]?.querySelector('button, input')?.focus();
      foot.replaceChildren(end(page));
    } catch (err) {
      if (!signal.aborted) foot.replaceChildren(fault(err, () => more(after)));
    }
  }

  function end(page) {
    if (page.next) return h('button', { type: 'button', class: 'quiet', onclick: () => more(page.next, true) }, 'Show more');
    if (grid.children.length > 0) return h('p', { class: 'dim' }, 'That is all.');
    if (!words) return h('p', { class: 'dim' }, 'Nothing is on sale yet. Products appear as the catalog lists them.');
    return h('p', { class: 'dim' }, `Nothing is called “${words}”. `, h('a', { href: '#/' }, 'See everything'));
  }

  more('');
  return {
    title: words ? `“${words}”` : 'Good things',
    element: h('section', {},
      words
        ? h('h1', { tabindex: -1 }, `Results for “${words}”`)
        : h('div', { class: 'hero' },
          h('h1', { tabindex: -1 }, 'Small things, well played.'),
          h('p', {}, 'Gifts and good things for the house. Order one and watch how services bring it to you, event by event.')),
      grid, foot),
  };
}

function card(product, signal) {
  const action = h('div', { class: 'action' });
  const name = title(product.name);
  const steps = stepper(product);
  const button = h('button', {
    type: 'button', 'aria-label': `Add ${name} to the basket`,
    onclick: () => busy(button, async () => {
      await add(product.sku, 1);
      action.querySelector('button:last-child')?.focus(); // one more is one key away, and no keyboard pops up
      say(`${name} is in the basket.`);
    }),
  }, 'Add');
  function update() {
    const inside = quantityOf(product.sku) > 0;
    const shown = inside ? steps.element : button;
    if (action.firstChild !== shown) {
      const focused = action.contains(document.activeElement);
      action.replaceChildren(shown);
      if (focused && !inside) button.focus();
    }
    steps.update();
  }
  update();
  basket.addEventListener('change', update, { signal });
  return h('li', { class: 'card' },
    art(product),
    h('div', { class: 'what' }, h('h2', {}, name), h('p', { class: 'dim' }, product.sku)),
    h('div', { class: 'buy' }, h('span', { class: 'price' }, money(product.price)), action));
}
