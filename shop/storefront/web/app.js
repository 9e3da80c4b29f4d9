// The page: which view is shown for an address, and the header around it.

import { basket, count, load } from './basket.js';
import { basketView } from './basketview.js';
import { browse } from './browse.js';
import { checkoutView } from './checkout.js';
import { h, hush, say } from './dom.js';
import { orderView } from './order.js';
import { ordersView } from './orders.js';

const main = document.getElementById('main');
const search = document.getElementById('search');
const input = document.getElementById('q');
let leaving = new AbortController(); // ends what the last view has under way

function view(signal) {
  const [path, query] = location.hash.slice(1).split('?');
  const [, place = '', id = ''] = path.split('/');
  switch (place) {
    case '':
      return browse({ query: new URLSearchParams(query).get('q') ?? '', signal });
    case 'basket':
      return basketView({ signal });
    case 'checkout':
      return checkoutView({ signal });
    case 'orders':
      return id ? orderView({ id: decode(id), signal }) : ordersView({ signal });
  }
  return {
    title: 'Not found',
    element: h('section', {}, h('h1', { tabindex: -1 }, 'There is nothing here'), h('p', {}, h('a', { href: '#/' }, 'To the shop'))),
  };
}

function decode(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function show() {
  leaving.abort();
  hush();
  leaving = new AbortController();
  const searching = document.activeElement === input;
  const shown = view(leaving.signal);
  main.replaceChildren(shown.element);
  document.title = `${shown.title} · Tutti shop`;
  for (const a of document.querySelectorAll('nav a')) a.ariaCurrent = a.hash === location.hash ? 'page' : null;
  const query = new URLSearchParams(location.hash.split('?')[1]).get('q') ?? '';
  if (input.value.trim() !== query.trim()) input.value = query; // not from typing
  if (!searching) scrollTo(0, 0);
  if (!searching && !first) main.querySelector('h1')?.focus({ preventScroll: true });
  first = false;
}

let first = true;
let typing;

function searchFor(query, replace) {
  const address = query.trim() ? `#/?${new URLSearchParams({ q: query.trim() })}` : '#/';
  if (address === (location.hash || '#/')) return;
  if (replace) {
    history.replaceState(null, '', address);
    show();
  } else {
    location.hash = address;
  }
}

input.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => searchFor(input.value, (location.hash || '#/').startsWith('#/?q=')), 200);
});
search.addEventListener('submit', (e) => {
  e.preventDefault();
  clearTimeout(typing);
  searchFor(input.value, false);
  main.querySelector('h1')?.focus();
});

document.querySelector('.skip').addEventListener('click', (e) => {
  e.preventDefault(); // the address names the view
  main.focus();
});

basket.addEventListener('change', () => {
  const link = document.getElementById('basket-link');
  const n = count();
  link.replaceChildren('Basket', ...(n > 0 ? [h('span', { class: 'count' }, h('span', { class: 'unseen' }, ', '), n.toLocaleString(), h('span', { class: 'unseen' }, n === 1 ? ' item' : ' items'))] : []));
});

addEventListener('hashchange', show);
await load().catch((err) => say(err.message));
show();
