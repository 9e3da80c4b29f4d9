// The checkout: who, where to, and how the demonstration is to go.

import { call } from './api.js';
import { basket, checkOut, count } from './basket.js';
import { customer } from './customer.js';
import { h, money, title } from './dom.js';

// What the simulated gateways do is decided by the token and the city.
const payments = [
  ['tok_ok', 'Goes through', 'Charged at once.'],
  ['tok_decline', 'Is declined', 'The stock is released, the order cancelled.'],
  ['tok_late', 'Answers late', 'Five seconds: time enough to cancel.'],
  ['tok_timeout', 'Does not answer', 'Asked again with the same key after ten seconds: charged once.'],
];
const deliveries = [
  ['', 'Goes to your city', 'A carrier takes it.'],
  ['Slowtown', 'Goes to Slowtown', 'The carrier needs five seconds. Cancel, and you get a refund.'],
  ['Nowhere', 'Goes to Nowhere', 'No carrier drives there: everything is undone.'],
  ['Timeout', 'Goes to Timeout', 'The carrier does not answer for ten seconds. Asked again, it has one booking.'],
];

// checkoutView takes an order. Fields keep what was typed the last time.
export function checkoutView({ signal }) {
  const section = h('section', {}, h('h1', { tabindex: -1 }, 'Checkout'));
  if (count() === 0) {
    section.append(h('p', { class: 'empty' }, 'The basket is empty. ', h('a', { href: '#/' }, 'Have a look around')));
    return { title: 'Checkout', element: section };
  }
  const sum = h('strong', {});
  const items = h('ul', { class: 'brief' });
  const failure = h('p', { class: 'fault', role: 'alert', hidden: true });
  const submit = h('button', { class: 'wide' });
  const form = h('form', {
    class: 'split',
    onsubmit: (e) => { e.preventDefault(); send(form, submit, failure); },
  },
  h('div', {}, address(), choice('Payment', 'payment', payments), choice('Delivery', 'delivery', deliveries)),
  h('aside', { class: 'panel' }, items, h('p', { class: 'sum' }, h('span', {}, 'Total'), sum), failure, submit));

  function update() {
    sum.textContent = money(basket.cart.total);
    submit.textContent = `Order for ${money(basket.cart.total)}`;
    items.replaceChildren(...basket.cart.lines.slice(0, 12).map((l) => h('li', {},
      h('span', {}, `${l.quantity} × ${title(l.name)}`), h('span', {}, money(l.total)))),
    basket.cart.lines.length > 12 && h('li', { class: 'dim' }, `and ${basket.cart.lines.length - 12} more products`) || '');
  }
  update();
  basket.addEventListener('change', () => { if (count() > 0) update(); }, { signal });
  section.append(form);
  return { title: 'Checkout', element: section };
}

function address() {
  const saved = customer.details();
  const field = (label, name, autocomplete, value, type = 'text') => h('label', {}, label,
    h('input', { name, type, autocomplete, value, required: true, maxlength: 200 }));
  return h('fieldset', { class: 'fields' }, h('legend', {}, 'Where to'),
    field('Name', 'name', 'name', saved.name ?? 'Ada Lovelace'),
    field('E-mail', 'email', 'email', saved.email ?? 'ada@example.com', 'email'),
    field('Street', 'street', 'street-address', saved.street ?? '12 St James’s Square'),
    field('City', 'city', 'address-level2', saved.city ?? 'London'),
    field('Country', 'country', 'country-name', saved.country ?? 'United Kingdom'));
}

function choice(legend, name, options) {
  return h('fieldset', {}, h('legend', {}, legend, h('span', { class: 'dim' }, ' in this demonstration')),
    h('div', { class: 'choices' }, options.map(([value, label, note], i) => h('label', { class: 'choice' },
      h('input', { type: 'radio', name, value, checked: i === 0 }),
      h('span', {}, h('b', {}, label), h('small', {}, note))))));
}

async function send(form, submit, failure) {
  if (submit.disabled) return;
  submit.disabled = true;
  failure.hidden = true;
  const { payment, delivery, ...details } = Object.fromEntries(new FormData(form));
  const { name, email, street, city, country } = customer.keep(details);
  // The order does not depend on this: without it, nobody is sent a mail.
  call('PUT', `/customers/${customer.id()}`, { body: { name, email, country } })
    .catch((err) => console.warn('register customer:', err.message));
  try {
    const id = await checkOut({
      customerId: customer.id(), paymentToken: payment, total: basket.cart.total,
      address: { name, street, city: delivery || city, country },
    });
    location.hash = `#/orders/${encodeURIComponent(id)}`;
  } catch (err) {
    failure.textContent = err.status === 409
      ? `Prices have changed: it is ${money(basket.cart.total)} now. Nothing is ordered yet.` : err.message;
    failure.hidden = false;
    submit.disabled = false;
  }
}
