// Elements without a framework. Text is always set as text, never as markup.

const svgNames = new Set(['svg', 'path', 'circle', 'rect', 'g', 'ellipse']);

// h makes an element. Properties that begin with "on" are listeners; false, null
// and undefined leave an attribute out.
export function h(name, props, ...children) {
  const el = svgNames.has(name)
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value === true ? '' : value);
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

const pounds = new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'GBP' });

// money shows an amount of pence.
export function money(pence) {
  return pounds.format(pence / 100);
}

// title makes names in capitals, as the catalog may have them, easier to read.
export function title(name) {
  if (name !== name.toUpperCase() || !/[A-Z]{3}/.test(name)) return name;
  const lower = name.trim().toLowerCase().replace(/\s+/g, ' ');
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}

let silence;

// say tells the customer something in passing, on screen and to screen readers.
export function say(text) {
  const el = document.getElementById('said');
  el.textContent = text;
  el.classList.add('shown');
  clearTimeout(silence);
  silence = setTimeout(() => el.classList.remove('shown'), 3500);
}

// hush takes back what was said: the customer has moved on.
export function hush() {
  clearTimeout(silence);
  document.getElementById('said').classList.remove('shown');
}

// fault is a box with what went wrong and, if given, a way to try again.
export function fault(err, again) {
  return h('div', { class: 'fault', role: 'alert' },
    h('p', {}, err.message),
    again && h('button', { type: 'button', class: 'quiet', onclick: again }, 'Try again'));
}

// busy runs work while its button cannot be pressed again.
export async function busy(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true'); // not disabled: that would lose the focus
  try {
    await work();
  } catch (err) {
    say(err.message);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}
