// The shop's HTTP API, as shop/openapi.yaml of the project describes it.

const patience = 15_000; // ms until a request is given up

// Problem is a request that failed: its message is for people, its status is 0 if
// there was no answer.
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// call sends a request and returns the JSON of its answer. Failures are Problems
// with the detail of the problem document (RFC 9457).
export async function call(method, path, { body, signal } = {}) {
  const limit = AbortSignal.timeout(patience);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: 'no-store',
    });
    const text = await response.text();
    if (response.ok) return text === '' ? null : JSON.parse(text);
    throw new Problem(response.status, detail(response, text));
  } catch (err) {
    if (err instanceof Problem || signal?.aborted) throw err;
    throw new Problem(0, 'The shop does not answer. Is it running?');
  }
}

function detail(response, text) {
  try {
    const doc = JSON.parse(text);
    if (doc.detail || doc.title) return sentence(doc.detail || doc.title);
  } catch {
    // Not a problem document: something in between answered.
  }
  return `The shop answered ${response.status} ${response.statusText}.`;
}

function sentence(s) {
  return s.charAt(0).toUpperCase() + s.slice(1) + (/[.!?]$/.test(s) ? '' : '.');
}

// insist repeats a request that may be repeated, while nobody answers or the shop
// asks to come back.
export async function insist(method, path, options) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(method, path, options);
    } catch (err) {
      const temporary = err.status === 0 || err.status === 429 || err.status === 503;
      if (!temporary || attempt === 4) throw err;
      await pause(2 ** attempt * 150 * (0.5 + Math.random()));
    }
  }
}

// pause waits; a signal ends it early.
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

const names = new Map(); // of products, by SKU

// remember keeps products' names, so that orders can show them.
export function remember(products) {
  for (const p of products) names.set(p.sku, p.name);
}

// nameOf is a product's name, or its SKU if the catalog cannot tell.
export async function nameOf(sku) {
  if (!names.has(sku)) {
    try {
      remember([await call('GET', `/products/${encodeURIComponent(sku)}`)]);
    } catch {
      return sku;
    }
  }
  return names.get(sku);
}
