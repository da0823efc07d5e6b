// Elements are made of names and text, never of markup: names come from data.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A field with its label. Options are [value, text] pairs.
export function choose(label, options, value, onchange) {
  const select = h(
    "select",
    { onchange: () => onchange(select.value) },
    options.map(([key, text]) => h("option", { value: key }, text)),
  );
  select.value = value;
  return h("label", { class: "field" }, h("span", null, label), select);
}

export function check(label, checked, onchange, color) {
  const box = h("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  const mark = color ? h("i", { class: "swatch", style: { background: color }, "aria-hidden": "true" }) : null;
  return h("label", { class: "check" }, box, mark, label);
}

export const section = (title, ...children) => h("section", { "aria-label": title }, h("h2", null, title), ...children);
export const note = (text) => h("p", { class: "note" }, text);
export const failure = (error) => h("p", { class: "note failure", role: "alert" }, error.message ?? String(error));

// The colour that a variable of the style sheet has now.
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function announce(text) {
  document.getElementById("announce").textContent = text;
}

// Calls `draw(width)` now and whenever the width of an element changes.
export function onWidth(element, draw) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    // In the next frame, since drawing may change the size that is being observed.
    if (now && now !== width) requestAnimationFrame(() => draw((width = now)));
  });
  observer.observe(element);
}

// A canvas of a size in CSS pixels, sharp on any screen; returns its context.
export function sized(canvas, width, height) {
  const scale = Math.min(2, devicePixelRatio || 1);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}
