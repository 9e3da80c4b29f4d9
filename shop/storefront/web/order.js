// An order, followed while it makes its way.

import { call, nameOf, pause } from './api.js';
import { add } from './basket.js';
import { busy, fault, h, money, say, title } from './dom.js';
import { timeline } from './timeline.js';

const soon = 250; // ms to the next look after something happened
const seldom = 5000; // ms between looks at most
const after = 15_000; // ms for which an order that has ended is still looked at
const long = 20_000; // ms after which an unknown order is said to be unknown
const shownLines = 12;

const headlines = {
  unknown: ['On its way', 'The order is on its way to the order service.'],
  placed: ['In progress', 'The services are at work.'],
  confirmed: ['Confirmed', 'Reserved, paid and handed to the carrier.'],
  cancelling: ['Being cancelled', 'What was done is being undone.'],
  cancelled: ['Cancelled', 'Nothing will be delivered.'],
};

// What the order service's reasons mean to who ordered. Others are shown as they are.
const meanings = {
  'cancelled by the customer': 'You have cancelled it. What was paid is paid back.',
  'not settled in time': 'It took too long, so we have cancelled it. What was paid is paid back.',
  'payment failed: card declined': 'Your card was declined. Nothing was charged.',
};

// orderView follows an order.
export function orderView({ id, signal }) {
  const view = parts(id);
  const began = Date.now();
  let order = null;
  let woken = new AbortController();
  const wake = () => { woken.abort(); };
  document.addEventListener('visibilitychange', wake, { signal });
  signal.addEventListener('abort', wake);

  view.cancel.addEventListener('click', () => busy(view.cancel, async () => {
    await call('DELETE', path(id));
    say('The order will be cancelled.');
    wake();
  }));

  view.again.addEventListener('click', () => busy(view.again, async () => {
    for (const l of order.lines) await add(l.sku, l.quantity);
    location.hash = '#/basket';
  }));

  async function look() {
    const before = JSON.stringify(order);
    try {
      order = await call('GET', path(id), { signal });
      view.trouble.replaceChildren();
    } catch (err) {
      if (signal.aborted) return false;
      // A moment after the checkout the order service has not heard of it yet.
      if (err.status === 404 && Date.now() - began > long) {
        view.trouble.replaceChildren(fault(new Error(`${err.message} If you have just ordered it, it will turn up here.`)));
      }
      if (err.status !== 404) view.trouble.replaceChildren(fault(new Error(`${err.message} Trying again.`)));
    }
    const changed = JSON.stringify(order) !== before;
    if (changed || before === 'null') show(view, order);
    return changed;
  }

  async function follow() {
    let delay = soon;
    let changed = Date.now();
    while (!signal.aborted) {
      if (!document.hidden && await look()) {
        delay = soon;
        changed = Date.now();
      }
      const ended = order?.status === 'confirmed' || order?.status === 'cancelled';
      if (ended && Date.now() - changed > after) return;
      woken = new AbortController();
      await pause(document.hidden ? 2 ** 30 : delay, woken.signal);
      delay = Math.min(delay * 1.4, seldom);
    }
  }

  show(view, null);
  follow();
  return { title: 'Order', element: view.element };
}

function path(id) {
  return `/orders/${encodeURIComponent(id)}`;
}

function parts(id) {
  const v = {
    state: h('p', { class: 'state' }),
    text: h('p', { class: 'dim' }),
    trouble: h('div', {}),
    steps: h('ol', { class: 'timeline' }),
    lines: h('ul', { class: 'brief' }),
    sum: h('strong', {}),
    again: h('button', { type: 'button', class: 'wide', hidden: true }, 'Put it into the basket again'),
    cancel: h('button', { type: 'button', class: 'quiet wide', hidden: true }, 'Cancel the order'),
  };
  v.element = h('section', {},
    h('h1', { tabindex: -1 }, 'Your order'),
    h('p', { class: 'dim id' }, id),
    v.trouble,
    h('div', { class: 'split' },
      h('div', {}, h('div', { class: 'status', role: 'status' }, v.state, v.text), v.steps),
      h('aside', { class: 'panel' }, v.lines, h('p', { class: 'sum' }, h('span', {}, 'Total'), v.sum), v.cancel, v.again,
        h('a', { class: 'button wide quiet', href: '#/' }, 'Back to the shop'))));
  return v;
}

function show(view, order) {
  const status = order?.status ?? 'unknown';
  const [state, text] = headlines[status] ?? [status, ''];
  view.state.textContent = state;
  view.state.dataset.status = status;
  view.text.textContent = text;
  if (order?.reason) explain(view.text, order);
  const hadFocus = document.activeElement === view.cancel;
  view.cancel.hidden = status !== 'placed';
  if (hadFocus && view.cancel.hidden) view.element.querySelector('h1').focus();
  view.again.hidden = status !== 'cancelled';
  view.sum.textContent = order ? money(order.total) : '…';
  showSteps(view.steps, order);
  if (order && view.lines.children.length === 0) showLines(view.lines, order.lines);
}

// explain says why an order is cancelled, with products by their names.
async function explain(element, { reason, lines }) {
  element.textContent = meanings[reason] ?? sentence(reason);
  for (const { sku } of lines) {
    for (const before of [': ', ', ']) { // a product may end like another
      const said = `${before}${sku} (`;
      if (!reason.includes(said)) continue;
      const name = title(await nameOf(sku));
      element.textContent = element.textContent.replace(said, () => `${before}${name} (`);
    }
  }
}

function showSteps(list, order) {
  const entries = order ? timeline(order) : [{ kind: 'expected', label: 'Reach the order service' }];
  const start = entries[0]?.at;
  let waiting = true;
  list.replaceChildren(...entries.map((e) => {
    const next = e.kind === 'expected' && waiting;
    if (e.kind === 'expected') waiting = false;
    return h('li', { 'data-kind': e.kind, class: next && 'next' },
      h('div', {}, h('b', {}, e.label), e.note && h('p', { class: 'dim' }, e.note)),
      e.at !== undefined && h('time', { datetime: new Date(e.at).toISOString() }, e.at === start ? clock(e.at) : `+${elapsed(e.at - start)}`));
  }));
}

function showLines(list, lines) {
  for (const l of lines.slice(0, shownLines)) {
    const name = h('span', {}, `${l.quantity} × ${l.sku}`);
    list.append(h('li', {}, name, h('span', {}, money(l.quantity * l.unitPrice))));
    nameOf(l.sku).then((n) => { name.textContent = `${l.quantity} × ${title(n)}`; });
  }
  if (lines.length > shownLines) list.append(h('li', { class: 'dim' }, `and ${lines.length - shownLines} more`));
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

function elapsed(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

function sentence(s) {
  return s.charAt(0).toUpperCase() + s.slice(1) + (/[.!?]$/.test(s) ? '' : '.');
}
