// Questions to the server; answers are kept, since a run does not change.

const LIMIT = 80;
const kept = new Map();

function address(name, parameters) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters ?? {})) {
    if (value !== undefined && value !== null && value !== "") query.set(key, value);
  }
  return `api/${name}?${query}`;
}

async function send(url, options, read) {
  const response = await fetch(url, options);
  if (response.ok) return read(response);
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `the server answered ${response.status}; is it still running?`);
}

export function ask(name, parameters, read = (response) => response.json()) {
  const url = address(name, parameters);
  if (!kept.has(url)) {
    const answer = send(url, undefined, read);
    kept.set(url, answer);
    answer.catch(() => kept.delete(url));
    if (kept.size > LIMIT) kept.delete(kept.keys().next().value);
  }
  return kept.get(url);
}

// Numbers of 32 bits in the order of the machine: all that browsers run on are little-endian.
export const askFloats = (name, parameters) =>
  ask(name, parameters, async (response) => new Float32Array(await response.arrayBuffer()));

export const upload = (file) => send("api/upload", { method: "POST", body: file }, (response) => response.json());

export const pictureAddress = (name, run, side) => address("picture", { name, run, side });

export function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) found[at] = text.charCodeAt(at);
  return found;
}

// A mask of packed bits as one byte a pixel.
export function unpacked(base64, pixels) {
  const packed = bytes(base64);
  const found = new Uint8Array(pixels);
  for (let at = 0; at < pixels; at++) found[at] = (packed[at >> 3] >> (at & 7)) & 1;
  return found;
}
