// The concepts as points of one space, or of two side by side, with arithmetic.

import { ask } from "../api.js";
import { bars } from "../charts.js";
import { choose, color, h, replace, section } from "../dom.js";
import { cosine, plain, several } from "../format.js";
import { PointMap } from "../map.js";
import { categoryColor, differing, rowsOf, scoreTitle } from "../scores.js";
import { get, link, note, set } from "../state.js";
import { arithmetic } from "./arithmetic.js";

export const title = () => "Space";

const KINDS = [["", "those compared by default"], ["weights", "weights"], ["patterns", "patterns"], ["whitened", "whitened patterns"], ["wordnet", "WordNet"]];
const LISTED = 20;

export async function render(root, view) {
  const kind = get("kind");
  const named = (key) => KINDS.find(([each]) => each === key)?.[1] ?? key;
  const sides = [{ at: view.at, kind, name: view.beside ? differing(view, view.at, view.beside) : get("against") ? named(kind) : "" }];
  if (view.beside) sides.push({ at: view.beside, kind, name: differing(view, view.beside) });
  else if (get("against")) sides.push({ at: view.at, kind: get("against"), name: named(get("against")) });
  const first = await Promise.all(sides.map((side) => ask("space", { ...side.at, kind: side.kind, method: "pca" })));
  const page = new SpacePage(root, view, sides, first);
  page.start();
}

class SpacePage {
  constructor(root, view, sides, spaces) {
    Object.assign(this, { root, view, sides, spaces });
    this.chosen = new Set(get("chosen") ? JSON.parse(get("chosen")) : []);
    this.method = get("method", "tsne");
    this.list = h("div", { "aria-live": "polite" });
    this.legend = h("div", { class: "legend" });
    this.waiting = h("p", { class: "muted", role: "status" });
    this.maps = sides.map((side, place) => new PointMap({
      label: `Map of ${several(spaces[place].name.length, "concept")}`,
      pick: (names, added) => this.pick(names, added),
      hover: (name) => this.maps.forEach((map) => map.point(name)),
    }));
  }

  start() {
    const { view, sides } = this;
    const lasso = h("button", { type: "button", "aria-pressed": "false", title: "or drag with Shift", onclick: () => {
      this.maps.forEach((map) => { map.lassoing = !map.lassoing; });
      lasso.setAttribute("aria-pressed", String(this.maps[0].lassoing));
    } }, "Lasso");
    const search = h("input", { type: "search", "data-search": true, placeholder: "concept  /", "aria-label": "Choose concepts by name", oninput: () => this.find(search.value) });
    const against = [["", "nothing"], ...KINDS.filter(([key]) => key && key !== get("kind"))];
    replace(
      this.root,
      h("h1", null, "Space"),
      h("div", { class: "tools" },
        choose("Vectors", KINDS, get("kind"), (kind) => set({ kind })),
        view.beside ? null : choose("Compared with", against, get("against"), (chosen) => set({ against: chosen })),
        choose("Map", [["tsne", "t-SNE"], ["pca", "plane of largest variance"]], this.method, (method) => { this.method = method; note({ method: method === "tsne" ? "" : method }); this.place(); }),
        choose("Colour", [["category", "category"], ["score", "score"]], get("colour", "category"), (colour) => { note({ colour: colour === "category" ? "" : colour }); this.place(); this.drawLegend(); }),
        h("label", { class: "field" }, h("span", null, "Choose"), search),
        h("div", { class: "buttons" }, lasso,
          h("button", { type: "button", "aria-label": "Nearer", onclick: () => this.maps.forEach((map) => map.zoom(1.5)) }, "+"),
          h("button", { type: "button", "aria-label": "Farther", onclick: () => this.maps.forEach((map) => map.zoom(1 / 1.5)) }, "−"),
          h("button", { type: "button", onclick: () => { this.maps.forEach((map) => map.fit()); this.pick([], false); } }, "all"))),
      this.waiting,
      h("div", { class: sides.length > 1 ? "columns two" : "" }, sides.map((side, place) => h("div", null, side.name ? h("h3", null, side.name) : null, this.maps[place].box))),
      this.legend,
      h("div", { class: "columns" },
        section("Chosen", this.list),
        section("Arithmetic", arithmetic(view, get("kind"), this.spaces[0].name, (names) => this.maps.forEach((map) => map.ring(names)))),
        sides.length > 1 ? section("What moved", this.moved()) : null));
    this.drawLegend();
    this.draw(this.spaces);
    this.select();
    if (this.method === "tsne") this.place();
  }

  async place() {
    if (this.method === "tsne") this.waiting.textContent = "Placing by t-SNE …";
    try {
      this.spaces = await Promise.all(this.sides.map((side) => ask("space", { ...side.at, kind: side.kind, method: this.method })));
      if (!this.view.current()) return;
      this.waiting.textContent = "";
      this.draw(this.spaces);
    } catch (error) {
      this.waiting.textContent = error.message;
    }
  }

  draw(spaces) {
    const { categories } = this.view.run;
    const byScore = get("colour", "category") === "score";
    spaces.forEach((space, side) => {
      const most = Math.max(...space.score.filter((value) => value !== null), 1e-9);
      this.maps[side].show(
        space.name.map((name, at) => ({
          name, x: space.x[at], y: space.y[at], weight: Math.max(0, space.score[at] ?? 0),
          color: byScore ? shade((space.score[at] ?? 0) / most) : categoryColor(categories, space.category[at]),
        })),
        space,
      );
    });
  }

  drawLegend() {
    const named = [...new Set(this.spaces[0].category)];
    const shown = get("colour") === "score"
      ? h("span", null, h("i", { class: "scale score", "aria-hidden": "true" }), `${scoreTitle(this.view)}, all filters, from 0 to the highest`)
      : named.length > 1 ? named.map((each) => h("span", null, h("i", { class: "swatch", style: { background: categoryColor(this.view.run.categories, each) } }), each)) : null;
    replace(this.legend, shown, h("span", null, "Lines lead to a concept’s ten nearest; the thicker, the nearer."));
  }

  find(text) {
    const wanted = text.trim().toLowerCase();
    this.pick(wanted ? this.spaces[0].name.filter((name) => name.toLowerCase().includes(wanted)) : [], false);
  }

  pick(names, added) {
    this.chosen = new Set(added ? [...this.chosen, ...names] : names);
    note({ chosen: this.chosen.size && this.chosen.size <= 40 ? JSON.stringify([...this.chosen]) : "" });
    this.select();
    this.drawMoved?.();
  }

  select() {
    this.maps.forEach((map) => map.select(this.chosen));
    const names = [...this.chosen].filter((name) => this.spaces[0].name.includes(name));
    replace(this.list, names.length ? names.slice(0, LISTED).map((name) => this.entry(name)) : h("p", { class: "muted" }, "Click a concept, or draw a lasso around several."),
      names.length > LISTED ? h("p", { class: "muted" }, `and ${names.length - LISTED} more`) : null,
      names.length > 1 ? h("p", null, h("a", { href: link("concepts", { find: names.join(", ") }) }, "Their scores")) : null);
  }

  entry(name) {
    const open = this.chosen.size === 1;
    return h("details", { open, class: "entry" },
      h("summary", null, h("a", { href: link("concept", { name }) }, name)),
      this.spaces.map((space, side) => {
        const at = space.name.indexOf(name);
        if (at < 0) return null;
        const near = space.near[at].map((other, rank) => [space.name[other], space.cosine[at][rank]]);
        return h("div", null, this.sides.length > 1 ? h("h4", null, this.sides[side].name) : null,
          h("ol", { class: "near" }, near.map(([other, value]) => h("li", null, h("button", { type: "button", class: "quiet", onclick: () => this.pick([other], false) }, other), h("span", { class: "numeric" }, cosine(value))))));
      }));
  }

  moved() {
    const holder = h("div", null, h("p", { class: "muted" }, "…"));
    const [one, other] = this.sides;
    const beside = Object.fromEntries(Object.entries(other.at).map(([key, value]) => [`beside_${key}`, value]));
    ask("moved", { ...one.at, kind: one.kind, ...beside, beside_kind: other.kind }).then((table) => {
      const rows = rowsOf({ concept: table.concept, category: table.category, distance: table.distance, shared: table.shared });
      this.drawMoved = () => {
        const chosen = this.chosen.size > 1 ? rows.filter((row) => this.chosen.has(row.concept)) : rows;
        replace(holder,
          h("p", { class: "muted" }, `Difference of a concept’s cosines with all others (D), and how many of its ${table.of} nearest are the same${chosen.length < rows.length ? `; of the ${several(chosen.length, "concept")} chosen` : ""}.`),
          bars(chosen.slice(0, LISTED).map((row) => ({ name: row.concept, href: link("concept", { name: row.concept }), value: row.distance, text: `${plain(row.distance)}, ${row.shared} of ${table.of}` })), { largest: rows[0]?.distance }));
      };
      this.drawMoved();
    }).catch((error) => replace(holder, h("p", { class: "note" }, error.message)));
    return holder;
  }
}

function shade(part) {
  const parse = (name) => { const hex = color(name); return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)); };
  const [from, to] = [parse("--heat-low"), parse("--combined")];
  return `rgb(${from.map((value, at) => Math.round(value + (to[at] - value) * Math.min(1, Math.max(0, part)))).join(" ")})`;
}
