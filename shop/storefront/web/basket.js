// The basket: a cart at the server, whose id this browser keeps.

import { call, insist, remember } from './api.js';

const key = 'tutti.cart';
const none = { id: null, lines: [], total: 0 };

// basket tells listeners of "change".
export const basket = Object.assign(new EventTarget(), { cart: none });

let queue = Promise.resolve(); // changes go one after another

function show(cart) {
  basket.cart = cart;
  remember(cart.lines);
  basket.dispatchEvent(new Event('change'));
}

// count is how many goods are in it.
export function count() {
  return basket.cart.lines.reduce((n, l) => n + l.quantity, 0);
}

// quantityOf is how many of a product are in it.
export function quantityOf(sku) {
  return basket.cart.lines.find((l) => l.sku === sku)?.quantity ?? 0;
}

// load brings the basket up to date.
export async function load() {
  const id = localStorage.getItem(key);
  if (!id) return show(none);
  try {
    const cart = await call('GET', `/carts/${encodeURIComponent(id)}`);
    if (cart.orderId) return forget(); // checked out in another tab
    show(cart);
  } catch (err) {
    if (err.status !== 404) throw err;
    forget(); // older than carts are kept
  }
}

// forget starts afresh: the cart is an order now.
export function forget() {
  localStorage.removeItem(key);
  show(none);
}

// add puts more of a product in.
export function add(sku, more) {
  return change(sku, () => quantityOf(sku) + more);
}

// set says how many of a product are to be in it; 0 takes it out.
export function set(sku, quantity) {
  return change(sku, () => quantity);
}

function change(sku, quantity) {
  const result = queue.then(async () => {
    const attempt = () => put(sku, Math.max(0, quantity()));
    try {
      await attempt();
    } catch (err) {
      const gone = basket.cart.id && (err.status === 409 || err.status === 404);
      if (gone) await load();
      if (!gone || basket.cart.id) throw err; // not the cart's fault
      await attempt(); // of a new basket, which has none of it
    }
  });
  queue = result.catch(() => {}); // the caller shows it
  return result;
}

async function put(sku, quantity) {
  if (!basket.cart.id) {
    const cart = await call('POST', '/carts');
    localStorage.setItem(key, cart.id);
    show(cart);
  }
  const path = `/carts/${encodeURIComponent(basket.cart.id)}/lines/${encodeURIComponent(sku)}`;
  show(await insist('PUT', path, { body: { quantity } }));
}

// checkOut orders the basket, and returns the order's id. It may be repeated: a
// cart becomes one order.
export async function checkOut(request) {
  const path = `/carts/${encodeURIComponent(basket.cart.id)}`;
  let order;
  try {
    order = await insist('POST', `${path}/checkout`, { body: request });
  } catch (err) {
    const cart = await call('GET', path).catch(() => ({}));
    if (!cart.orderId && cart.lines) show(cart); // prices may have changed
    if (!cart.orderId) throw err;
    order = cart; // an earlier attempt came through
  }
  forget();
  return order.orderId;
}

addEventListener('storage', (e) => {
  if (e.key === key) load().catch(() => {}); // the next change shows what is wrong
});
