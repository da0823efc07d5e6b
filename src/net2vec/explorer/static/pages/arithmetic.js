// Sums of concept vectors as text, with names completed while they are written.

import { ask } from "../api.js";
import { bars } from "../charts.js";
import { h, replace } from "../dom.js";
import { cosine, folded } from "../format.js";
import { get, link, note } from "../state.js";

const OFFERED = 8;

export function arithmetic(view, kind, names, ring) {
  const answer = h("div", { "aria-live": "polite" });
  const offers = h("ul", { class: "offers", role: "listbox", id: "offers", "aria-label": "Concepts" });
  const field = h("input", {
    type: "text", value: get("sum"), placeholder: "grass + blue - green", "aria-label": "Sum of concepts", autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-controls": "offers", "aria-expanded": "false", "aria-autocomplete": "list",
  });
  let active = -1;

  // The word that is being written: what follows the last operator.
  const written = () => field.value.match(/(?:^|\s[+-]\s+)(?:[\d.]+\s+)?([^+]*)$/)?.[1]?.trimStart() ?? "";
  const offer = () => {
    const word = folded(written());
    const found = word ? names.filter((name) => folded(name).includes(word) && folded(name) !== word) : [];
    found.sort((a, b) => folded(b).startsWith(word) - folded(a).startsWith(word) || a.localeCompare(b));
    active = -1;
    replace(offers, found.slice(0, OFFERED).map((name) => h("li", { role: "option", "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); take(name); } }, name)));
    field.setAttribute("aria-expanded", String(found.length > 0));
  };
  const take = (name) => {
    const word = written();
    field.value = `${field.value.slice(0, field.value.length - word.length)}${name} `;
    replace(offers);
    field.setAttribute("aria-expanded", "false");
    solve();
  };
  const solve = async () => {
    const expression = field.value.trim();
    note({ sum: expression });
    ring([]);
    if (!expression) return replace(answer);
    try {
      const found = await ask("solve", { ...view.at, kind, expression });
      ring([...found.terms, ...found.concept.slice(0, 3)]);
      replace(answer, bars(found.concept.map((name, place) => ({ name, href: link("concept", { name }), value: found.cosine[place], text: cosine(found.cosine[place]) })), { largest: 1 }));
    } catch (error) {
      replace(answer, h("p", { class: "muted" }, error.message));
    }
  };
  field.addEventListener("input", offer);
  field.addEventListener("blur", () => replace(offers));
  field.addEventListener("keydown", (event) => {
    const items = [...offers.children];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!items.length) return;
      event.preventDefault();
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
      items.forEach((item, at) => item.setAttribute("aria-selected", String(at === active)));
      items[active].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" || (event.key === "Tab" && active >= 0)) {
      if (active >= 0 || (event.key === "Enter" && items.length === 1)) {
        event.preventDefault();
        take(items[Math.max(0, active)].textContent);
      } else solve();
    }
  });
  if (field.value) queueMicrotask(solve);
  return h("div", { class: "combobox" }, h("label", { class: "field grow" }, h("span", null, "Sum"), field), offers, answer);
}
