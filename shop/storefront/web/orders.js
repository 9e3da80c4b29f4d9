// The orders of this browser's customer.

import { call } from './api.js';
import { customer } from './customer.js';
import { fault, h, money } from './dom.js';

const pageSize = 20;
const names = { placed: 'In progress', confirmed: 'Confirmed', cancelling: 'Being cancelled', cancelled: 'Cancelled' };

// ordersView lists them, a page at a time.
export function ordersView({ signal }) {
  const list = h('ul', { class: 'lines' });
  const foot = h('div', { class: 'more' });

  async function more(after) {
    foot.replaceChildren(h('p', { class: 'dim' }, 'Fetching orders…'));
    const params = new URLSearchParams({ customer: customer.id(), limit: pageSize });
    if (after) params.set('after', after);
    try {
      const page = await call('GET', `/orders?${params}`, { signal });
      list.append(...page.orders.map(row));
      foot.replaceChildren(end(page));
    } catch (err) {
      if (!signal.aborted) foot.replaceChildren(fault(err, () => more(after)));
    }
  }

  function end(page) {
    if (page.next) return h('button', { type: 'button', class: 'quiet', onclick: () => more(page.next) }, 'Show more');
    if (list.children.length > 0) return h('p', { class: 'dim' }, 'That is all.');
    return h('p', { class: 'dim' }, 'No orders yet. ', h('a', { href: '#/' }, 'Have a look around'));
  }

  more('');
  return { title: 'Your orders', element: h('section', {}, h('h1', { tabindex: -1 }, 'Your orders'), list, foot) };
}

function row(order) {
  return h('li', {},
    h('div', { class: 'what' },
      h('h2', {}, h('a', { href: `#/orders/${encodeURIComponent(order.id)}` }, new Date(order.placedAt).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }))),
      h('p', { class: 'dim id' }, order.id)),
    h('span', { class: 'state', 'data-status': order.status }, names[order.status] ?? order.status),
    h('span', { class: 'price' }, money(order.total)));
}
