// Numbers as text, in the forms of the report: scores with three decimals and no leading zero.

export const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3).replace(/^(-?)0\./, "$1."));
export const signed = (value) => (value === null || value === undefined ? "–" : (value > 0 ? "+" : value < 0 ? "−" : "") + score(Math.abs(value)));
export const cosine = (value) => (value === null || value === undefined ? "–" : value.toFixed(2).replace(/^(-?)0\./, "$1.").replace("-", "−"));
export const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`);
export const count = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
export const plain = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const text = size >= 100 ? size.toFixed(0) : size && size < 1e-4 ? size.toExponential(1) : size.toPrecision(3);
  return `${value < 0 ? "−" : ""}${text.replace(/^0\./, ".")}`;
};
export const several = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

// Lower case without accents, for searching.
export const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
