// A picture for every product: a drawing that its name suggests, on a colour of
// its own.

import { h } from './dom.js';

const drawings = [
  [/\b(heart|love)/, 'M24 38C12 29 9 24 9 19a7.5 7.5 0 0 1 15-2 7.5 7.5 0 0 1 15 2c0 5-3 10-15 19Z'],
  [/\b(mug|cup(?!cake)|tea|coffee|saucer)/, 'M12 16h20v14a6 6 0 0 1-6 6h-8a6 6 0 0 1-6-6Z M32 19h3a4.5 4.5 0 0 1 0 9h-3 M18 11c0-2 2-2 2-4 M25 11c0-2 2-2 2-4'],
  [/\b(bag|shopper|tote)/, 'M12 17h24l2 22H10Z M18 21v-6a6 6 0 0 1 12 0v6'],
  [/\b(light|lamp|lantern|candle|t-light|holder)/, 'M19 22h10v17H19Z M15 39h18 M24 22v-4 M24 18c-4-3-2-7 0-10 2 3 4 7 0 10Z'],
  [/\b(clock|alarm|watch)/, 'M24 12a14 14 0 1 1 0 28 14 14 0 0 1 0-28Z M24 18v8l5 4 M12 10l-4 4 M36 10l4 4'],
  [/\b(bird|owl|hen|dove|duck)/, 'M10 27c0-9 6-14 13-14 6 0 9 4 9 8l6 3-6 2c-1 7-6 11-12 11-4 0-7-2-10-2l5-5c-3 0-5-1-5-3Z M27 19h.1'],
  [/\b(cake|bak|cook|jam|cupcake)/, 'M11 25h26l-3 14H14Z M11 25c-3-6 3-10 6-8 1-6 13-6 14 0 3-2 9 2 6 8 M24 13V8'],
  [/\b(box|tin|storage|case|drawer|cabinet)/, 'M9 18h30v20H9Z M9 18l4-7h22l4 7 M20 24h8'],
  [/\b(star|christmas|tree|snow|advent)/, 'M24 8l4.5 10 11 1-8 7.5 2.5 11L24 32l-10 5.5 2.5-11-8-7.5 11-1Z'],
  [/\b(flower|garden|rose|daisy|plant|herb)/, 'M24 20a5 5 0 1 0 0-10 5 5 0 0 0 0 10Z M17 19a5 5 0 1 1 2-9 M31 19a5 5 0 1 0-2-9 M24 20v20 M24 33c-7 0-9-4-9-7 5 0 9 2 9 7Z M24 36c7 0 9-4 9-7-5 0-9 2-9 7Z'],
  [/\b(card|paper|wrap|book|note|pen|chalk|sign|frame|picture|letter)/, 'M12 9h18l6 6v24H12Z M30 9v6h6 M17 22h14 M17 28h14 M17 34h8'],
  [/\b(bottle|drink|wine|jar|water|glass)/, 'M20 8h8v8l4 5v18H16V21l4-5Z M16 27h16'],
  [/\b(toy|doll|game|jigsaw|block|soldier|spaceboy|dolly|child)/, 'M9 25h13V12h7v13h10v14H9Z M16 18h.1 M16 32h.1 M32 32h.1'],
  [/\b(cushion|blanket|knit|towel|warmer|scarf)/, 'M12 13c4 2 20 2 24 0-2 5-2 17 0 24-4-2-20-2-24 0 2-7 2-19 0-24Z M24 20v11 M19 25h10'],
  [/\b(ring|necklace|bracelet|earring|bead|jewel)/, 'M24 20a10 10 0 1 1 0 20 10 10 0 0 1 0-20Z M18 9h12l3 4-9 7-9-7Z'],
  [/\b(umbrella|parasol|rain)/, 'M8 26a16 16 0 0 1 32 0Z M24 8v2 M24 26v10a4 4 0 0 0 8 0'],
];
const parcel = 'M10 16l14-7 14 7v17l-14 7-14-7Z M10 16l14 7 14-7 M24 23v17 M17 12.5l14 7';

// art draws a product.
export function art(product) {
  const name = product.name.toLowerCase();
  const drawing = drawings.find(([words]) => words.test(name))?.[1] ?? parcel;
  const el = h('div', { class: 'art', 'aria-hidden': 'true' },
    h('svg', { viewBox: '0 0 48 48' }, h('path', { d: drawing })));
  el.style.setProperty('--hue', hue(product.sku));
  return el;
}

// hue spreads SKUs over the colour circle: FNV-1a, stirred once more, as SKUs that
// follow each other are to differ.
function hue(text) {
  let sum = 2166136261;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 16777619);
  sum = Math.imul(sum ^ sum >>> 15, 0x2c1b3c6d);
  return ((sum ^ sum >>> 12) >>> 0) % 360;
}
