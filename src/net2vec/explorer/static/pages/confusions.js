// What a concept's mask covers where it is wrong, counted image by image.

import { ask } from "../api.js";
import { bars } from "../charts.js";
import { h, replace, section } from "../dom.js";
import { count, percent, several } from "../format.js";
import { link } from "../state.js";

const CHUNK = 16;
const FIRST = 128;
const LISTED = 12;

export function confusions(view, name) {
  const list = h("div");
  const said = h("p", { class: "muted", role: "status" }, "Counted when this comes into sight.");
  const more = h("button", { type: "button", hidden: true }, "Count all");
  const whole = section("What it is confused with", said, list, more);
  const sums = { first: 0, wrong: 0, background: 0, covered: new Map(), outside: new Map() };

  const go = async (limit) => {
    more.hidden = true;
    try {
      let total = limit;
      while (sums.first < Math.min(limit, total) && view.current()) {
        const found = await ask("confusion", { ...view.at, name, first: sums.first, count: CHUNK });
        total = found.total;
        add(sums, found);
        draw(list, said, sums, total, name);
      }
      more.hidden = sums.first >= total;
    } catch (error) {
      said.textContent = error.message;
    }
  };
  more.addEventListener("click", () => go(Infinity));
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    go(FIRST);
  }).observe(whole);
  return whole;
}

function add(sums, found) {
  sums.first += found.count;
  sums.wrong += found.wrong;
  sums.background += found.background;
  found.concept.forEach((other, place) => {
    sums.covered.set(other, (sums.covered.get(other) ?? 0) + found.covered[place]);
    sums.outside.set(other, (sums.outside.get(other) ?? 0) + found.outside[place]);
  });
}

function draw(list, said, sums, total, name) {
  said.textContent = sums.wrong
    ? `Where the mask of ${name} is wrong (${count(sums.wrong)} pixels), it covers these concepts; in brackets, how many times as often as a random pixel outside ${name} would. After ${count(sums.first)} of ${several(total, "validation image")}.`
    : `No pixel of the mask is wrong, after ${count(sums.first)} of ${several(total, "validation image")}.`;
  const rows = [...sums.covered].filter(([, pixels]) => pixels).sort((a, b) => b[1] - a[1]).slice(0, LISTED).map(([other, pixels]) => {
    const share = pixels / sums.wrong;
    const chance = sums.outside.get(other) / sums.background;
    return { name: other, href: link("concept", { name: other }), value: share, text: `${percent(share)} (${(share / chance).toFixed(1)} ×)` };
  });
  replace(list, bars(rows));
}
