// What an order has been through, and what is still to come. The history's notes
// are the order service's words; those that are known are steps of the timeline.

const steps = [
  [/^placed|^order placed|^accepted/, 'placed', 'Placed'],
  [/^stock reserved/, 'reserved', 'Stock reserved'],
  [/^paid/, 'paid', 'Paid'],
  [/^delivery scheduled/, 'shipped', 'Handed to the carrier'],
  [/^out of stock/, 'failed', 'Out of stock', ''], // the reason says of what
  [/^payment failed/, 'failed', 'Payment failed'],
  [/^no delivery: cancelled by/, 'undone', 'Delivery called off', ''],
  [/^no delivery/, 'failed', 'No delivery'],
  [/^payment refunded/, 'undone', 'Payment refunded'],
  [/^stock released/, 'undone', 'Stock released'],
  [/^cancelled by/, 'failed', 'Cancelled by you'],
  [/^not settled/, 'failed', 'Not settled in time'],
  [/^order confirmed|^order cancelled/, '', ''], // the status says so
];
const way = [
  ['reserved', 'Reserve the stock'], ['paid', 'Take the payment'],
  ['shipped', 'Hand it to the carrier'], ['confirmed', 'Confirm'],
];

// timeline turns an order into entries {kind, label, note, at}: what happened, then
// what is expected (without at).
export function timeline(order) {
  const entries = [];
  const done = new Set();
  let status = '';
  for (const event of order.history) {
    const [kind, label, note] = read(event);
    if (kind) {
      entries.push({ kind, label, note, at: at(event) });
      done.add(kind);
    }
    if (event.status !== status && event.status === 'confirmed') entries.push({ kind: 'confirmed', label: 'Confirmed', at: at(event) });
    if (event.status !== status && event.status === 'cancelled') entries.push({ kind: 'cancelled', label: 'Cancelled', at: at(event) });
    status = event.status;
  }
  if (order.status === 'placed') {
    for (const [kind, label] of way) if (!done.has(kind)) entries.push({ kind: 'expected', label });
  } else if (order.status === 'cancelling') {
    if (done.has('paid')) entries.push({ kind: 'expected', label: 'Refund the payment' });
    if (done.has('reserved')) entries.push({ kind: 'expected', label: 'Release the stock' });
    entries.push({ kind: 'expected', label: 'Cancel' });
  }
  return entries;
}

function read(event) {
  const note = event.note ?? '';
  for (const [words, kind, label, detail] of steps) {
    if (!words.test(note)) continue;
    return [kind, label, detail ?? note.replace(/^[^:]*(: )?/, '')];
  }
  if (event.status === 'placed' && !note) return ['placed', 'Placed', ''];
  return note ? ['other', note.charAt(0).toUpperCase() + note.slice(1), ''] : [];
}

function at(event) {
  return typeof event.at === 'number' ? event.at : Date.parse(event.at);
}
