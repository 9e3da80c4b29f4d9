// Who is shopping: an id that this browser makes up and keeps, and what was typed
// at the last checkout.

const key = 'tutti.customer';

function read() {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {}; // not ours: start anew
  }
}

function write(state) {
  localStorage.setItem(key, JSON.stringify(state));
  return state;
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export const customer = {
  id() {
    const state = read();
    return state.id ?? write({ ...state, id: `guest-${random()}` }).id;
  },
  details: () => read().details ?? {},
  keep(details) {
    write({ ...read(), details });
    return details;
  },
};
