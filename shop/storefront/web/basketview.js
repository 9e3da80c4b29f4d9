// The basket's page.

import { art } from './art.js';
import { basket, count, set } from './basket.js';
import { busy, h, money, title } from './dom.js';
import { stepper } from './stepper.js';

// basketView shows what is in the basket.
export function basketView({ signal }) {
  const list = h('ul', { class: 'lines' });
  const rows = new Map(); // by SKU
  const sum = h('strong', {});
  const full = h('div', { class: 'split' },
    list,
    h('aside', { class: 'panel' },
      h('p', { class: 'sum' }, h('span', {}, 'Total'), sum),
      h('p', { class: 'dim' }, 'Delivery is free, as nothing is delivered.'),
      h('a', { class: 'button wide', href: '#/checkout' }, 'Checkout')));
  const empty = h('p', { class: 'empty' }, 'Nothing in it yet. ', h('a', { href: '#/' }, 'Have a look around'));
  const heading = h('h1', { tabindex: -1 }, 'Basket');
  const section = h('section', {}, heading, empty);

  function update() {
    const { lines, total } = basket.cart;
    for (const sku of rows.keys()) {
      if (lines.some((l) => l.sku === sku)) continue;
      if (rows.get(sku).element.contains(document.activeElement)) heading.focus();
      rows.get(sku).element.remove();
      rows.delete(sku);
    }
    for (const l of lines) {
      if (!rows.has(l.sku)) {
        rows.set(l.sku, row(l));
        list.append(rows.get(l.sku).element);
      }
      rows.get(l.sku).update(l);
    }
    sum.textContent = money(total);
    const shown = count() > 0 ? full : empty;
    if (section.lastChild !== shown) section.lastChild.replaceWith(shown);
  }
  update();
  basket.addEventListener('change', update, { signal });
  return { title: 'Basket', element: section };
}

function row(line) {
  const steps = stepper(line);
  const sum = h('span', { class: 'price' });
  const each = h('p', { class: 'dim' });
  const name = title(line.name);
  const remove = h('button', {
    type: 'button', class: 'link', 'aria-label': `Remove ${name}`, onclick: () => busy(remove, () => set(line.sku, 0)),
  }, 'Remove');
  return {
    element: h('li', {}, art(line), h('div', { class: 'what' }, h('h2', {}, name), each, remove), steps.element, sum),
    update(l) {
      steps.update();
      sum.textContent = money(l.total);
      each.textContent = `${money(l.unitPrice)} each`;
    },
  };
}
