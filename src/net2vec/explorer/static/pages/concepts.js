// All concepts of a layer: searched, filtered, sorted, with a column for what stands beside.

import { ask } from "../api.js";
import { sparkline } from "../charts.js";
import { choose, h, replace } from "../dom.js";
import { capital, count, folded, percent, score, several, signed } from "../format.js";
import { categoryColor, differing, rowsOf, scoreTitle } from "../scores.js";
import { get, go, link, note } from "../state.js";
import { VirtualTable } from "../table.js";

export const title = () => "Concepts";

const LEAST = [["", "any number"], ["10", "at least 10"], ["30", "at least 30"], ["100", "at least 100"], ["500", "at least 500"]];
const GAINS = [["", "any"], ["gain", "gained"], ["loss", "lost"]];
const SIZES = [["", "any size"], ["small", "below 1 %"], ["middle", "1 to 10 %"], ["large", "above 10 %"]];
const PASSING = [["", "all"], ["yes", "pass"], ["no", "do not pass"]];
const sizeOf = (row) => (row.size < 0.01 ? "small" : row.size <= 0.1 ? "middle" : "large");

export async function render(root, view) {
  const [table, other] = await Promise.all([ask("concepts", view.at), view.beside && ask("concepts", view.beside)]);
  const rows = rowsOf(table);
  if (other) {
    const scores = new Map(other.name.map((name, place) => [name, other.score[place]]));
    for (const row of rows) {
      row.other = scores.get(row.name) ?? null;
      row.difference = row.other === null || row.score === null ? null : row.score - row.other;
    }
  }
  const columns = columnsOf(view, table, other);
  const said = h("p", { class: "muted", role: "status" });
  const sort = columns.some((column) => column.key === get("sort")) ? get("sort") : "score";
  const list = new VirtualTable({
    label: "Concepts", columns, sort, descending: get("order", "down") === "down",
    onSort: (key, descending) => note({ sort: key, order: descending ? "" : "up" }),
    open: (row) => go("concept", { name: row.name }),
  });
  const fields = filterFields(view, rows, () => {
    const chosen = rows.filter(passes);
    said.textContent = chosen.length === rows.length ? several(rows.length, "concept") : `${count(chosen.length)} of ${several(rows.length, "concept")}`;
    list.show(chosen);
  });
  replace(root, h("h1", null, "Concepts"), h("div", { class: "tools" }, fields), said, list.box);
}

// Whether all words of one of the parts between commas are in a text.
function found(text, wanted) {
  const parts = folded(wanted).split(",").map((part) => part.split(/\s+/).filter(Boolean)).filter((words) => words.length);
  return !parts.length || parts.some((words) => words.every((word) => text.includes(word)));
}

function passes(row) {
  row.text ??= folded(`${row.name} ${row.category}`);
  return found(row.text, get("find"))
    && (!get("category") || row.category === get("category"))
    && row.n_train >= Number(get("least") || 0)
    && (!get("gain") || (get("gain") === "gain" ? row.gain > 0 : row.gain < 0))
    && (!get("size") || sizeOf(row) === get("size"))
    && (!get("passed") || row.passed === (get("passed") === "yes"));
}

function filterFields(view, rows, changed) {
  const changes = (key) => (value) => {
    note({ [key]: value });
    changed();
  };
  const search = h("input", {
    type: "search", "data-search": true, placeholder: "dog, cat  /", title: "names or categories, several with commas between them", value: get("find"), "aria-label": "Find concepts",
    oninput: () => changes("find")(search.value),
  });
  const categories = [...new Set(rows.map((row) => row.category))].sort();
  queueMicrotask(changed);
  return [
    h("label", { class: "field" }, h("span", null, "Find"), search),
    categories.length > 1 ? choose("Category", [["", "all"], ...categories.map((each) => [each, each])], get("category"), changes("category")) : null,
    choose("Training images", LEAST, get("least"), changes("least")),
    choose("Against one filter", GAINS, get("gain"), changes("gain")),
    choose("Mean size", SIZES, get("size"), changes("size")),
    rows.some((row) => row.passed !== null) ? choose("Against chance", PASSING, get("passed"), changes("passed")) : null,
  ];
}

function columnsOf(view, table, other) {
  const value = (key) => (row) => row[key];
  const titled = (key) => capital(view.column_titles[key]);
  const number = (key, text, form, more) => ({ key, title: text, numeric: true, value: value(key), cell: (row) => form(row[key]), ...more });
  const name = (row) => [
    h("a", { href: link("concept", { name: row.name }), tabindex: "-1" }, row.name),
    row.hardly_moved ? h("span", { class: "mark", title: "learning has hardly moved this vector from its random start" }, ` ${view.mark}`) : null,
    row.enters ? null : h("span", { class: "mark", title: `an accuracy of ${row.n_balanced} images, too few to enter means` }, ` ${view.small_mark}`),
  ];
  const columns = [
    { key: "name", title: "Concept", value: value("name"), cell: name },
    { key: "category", title: "Category", wide: true, value: value("category"), cell: (row) => [h("i", { class: "swatch", "aria-hidden": "true", style: { background: categoryColor(view.run.categories, row.category) } }), row.category] },
    { ...number("score", scoreTitle(view), score), cell: (row) => meter(row) },
    number("single", titled("single"), score, { wide: true }),
    number("gain", "Gain", signed, { wide: Boolean(other) }),
  ];
  if (other) {
    columns.push(number("other", "Beside it", score, { about: differing(view, view.beside) }), number("difference", "Difference", signed));
  }
  if (table.layers.length > 1) {
    columns.push({ key: "by_layer", title: "By layer", wide: true, about: table.layers.join(", "), value: (row) => row.by_layer.indexOf(Math.max(...row.by_layer)), numeric: true, cell: (row) => sparkline(row.by_layer) });
  }
  columns.push(
    number("n_train", titled("n_train"), count, { wide: true }),
    number("n_val", "Validation images", count, { wide: true }),
    number("size", titled("concept_size"), percent, { wide: true }),
    number("baseline", titled("baseline"), score, { wide: true, about: "the score of predicting the whole image" }),
    number("best_filter", "Filter", String, { wide: true, about: "the best single filter" }),
  );
  columns.at(-1).cell = (row) => h("a", { href: link("filter", { index: row.best_filter }), tabindex: "-1" }, String(row.best_filter));
  if (table.p.some((p) => p !== null)) columns.push(number("p", "p", (p) => (p === null ? "–" : p.toFixed(3)), { wide: true, about: "against shuffled annotations" }));
  return columns;
}

// The score with a bar beside it; a tick where the best single filter is.
function meter(row) {
  const share = (value) => `${100 * Math.min(1, Math.max(0, value ?? 0))}%`;
  return h("span", { class: "meter" },
    h("b", null, score(row.score)),
    h("span", { "aria-hidden": "true" }, h("i", { class: "filled", style: { width: share(row.score) } }), h("i", { class: "tick", style: { left: share(row.single) } })));
}
