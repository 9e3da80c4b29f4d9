// How many of a product are in the basket, with buttons for one more and less.

import { busy, h, say, title } from './dom.js';
import { add, quantityOf, set } from './basket.js';

const most = 1_000_000; // of one product, by the API

// stepper changes the quantity of a product in the basket. It is drawn anew by
// update, which keeps the focus where it is.
export function stepper(product) {
  const name = title(product.name);
  const input = h('input', {
    type: 'number', min: 0, max: most, step: 1, inputmode: 'numeric', 'aria-label': `Quantity of ${name}`,
    onchange: () => {
      const n = Number(input.value);
      if (input.value === '' || !Number.isInteger(n) || n < 0 || n > most) {
        say(`The quantity can be 0 to ${most.toLocaleString()}.`);
        return update();
      }
      return busy(input, () => set(product.sku, n)).finally(update);
    },
  });
  // Every press counts, however fast they follow: changes wait for one another.
  const button = (label, text, by) => h('button', {
    type: 'button', 'aria-label': `${label} ${name}`, onclick: () => add(product.sku, by).catch((err) => say(err.message)),
  }, text);
  function update() {
    input.value = quantityOf(product.sku);
  }
  update();
  return { element: h('div', { class: 'stepper' }, button('One less of', '−', -1), input, button('One more of', '+', 1)), update };
}
