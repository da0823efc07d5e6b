// The run in a few numbers, and the main figures of the paper for any layer, fit and category.

import { ask } from "../api.js";
import { bars, lines, scatter, seriesColor } from "../charts.js";
import { choose, color, h, replace, section } from "../dom.js";
import { count, percent, score, several, signed } from "../format.js";
import { categoryColor, differing, fitTitle, rowsOf, scoreTitle } from "../scores.js";
import { get, link, note } from "../state.js";

const ALL = "*";
const LISTED = 8;

export const title = (view) => view.run.label;

export async function render(root, view) {
  const asked = [view.at, ...(view.beside ? [view.beside] : [])];
  const [tables, means, curves] = await Promise.all([
    Promise.all(asked.map((at) => ask("concepts", at))),
    Promise.all(asked.map((at) => ask("categories", at))),
    Promise.all(asked.map((at) => ask("subsets", at))),
  ]);
  const rows = tables.map((table) => rowsOf(table));
  const other = new Map(rows[1]?.map((row) => [row.name, row.score]));
  for (const row of rows[0]) {
    row.other = other.get(row.name) ?? null;
    row.ahead = row.other === null || row.score === null ? null : row.score - row.other;
  }
  const holder = h("div");
  const categories = [ALL, ...new Set(rows[0].map((row) => row.category))];
  let category = categories.includes(get("category")) ? get("category") : ALL;
  const draw = () => {
    const chosen = rows.map((each) => each.filter((row) => category === ALL || row.category === category));
    replace(holder, numbers(view, chosen, means, category), figures(view, means, curves, category),
      h("div", { class: "columns wide-columns" }, section("Every concept", besides(view, chosen[0])), h("div", { class: "columns" }, lists(view, chosen[0]))));
  };
  draw();
  const field = choose("Category", categories.map((each) => [each, named(each)]), category, (value) => {
    category = value;
    note({ category: value === ALL ? "" : value });
    draw();
  });
  replace(
    root,
    h("h1", null, view.run.label),
    h("p", { class: "subtitle" }, subtitle(view)),
    categories.length > 2 ? h("div", { class: "tools" }, field) : null,
    holder,
  );
}

const named = (category) => (category === ALL ? "all categories" : category);

function subtitle({ run, at }) {
  const images = run.train_images || run.val_images ? `, ${count(run.train_images)} training and ${count(run.val_images)} validation images` : "";
  return `${run.data || "probe dataset"}${images}; shown: ${at.layer}, ${fitTitle(run, at.fit)}`;
}

// In a few numbers, each with that of what stands beside.
function numbers(view, rows, means, category) {
  const [mine, others] = [view.at, view.beside].map((at, side) => at && counted(view, at, rows[side], means[side], category));
  const few = rows[0].filter((row) => !row.enters).length;
  return [
    h("dl", { class: "numbers" }, mine.map(([value, name], place) =>
      h("div", null, h("dt", null, name), h("dd", null, value, others?.[place] ? h("small", null, ` beside it ${others[place][0]}`) : null)))),
    few ? h("p", { class: "muted" }, `${several(few, "concept")} judged on too few images (${view.small_mark}) enter no mean, no Table 1 and no list.`) : null,
  ];
}

function counted(view, at, rows, means, category) {
  const known = rows.filter((row) => row.enters && row.gain !== null);
  const all = rowsOf(means).find((row) => row.layer === at.layer && row.fit === at.fit && row.method === "combined" && row.category === category);
  const mean = (pick) => (known.length ? known.reduce((sum, row) => sum + pick(row), 0) / known.length : null);
  const layer = view.runs[at.run].layers.find((each) => each.name === at.layer);
  const judged = rows.filter((row) => row.passed !== null);
  return [
    [count(rows.length), "concepts"],
    [count(layer.filters), "filters of the layer"],
    [score(mean((row) => row.score)), `mean ${scoreTitle(view)}, all filters`],
    [score(mean((row) => row.single)), `mean ${scoreTitle(view)}, best single filter`],
    [all ? percent(all.as_good) : "–", "of concepts: all filters at least as good (Table 1)"],
    ...(all && all.as_good_tuned !== null ? [[percent(all.as_good_tuned), "the same against single filters at their own thresholds"]] : []),
    ...(judged.length ? [[percent(judged.filter((row) => row.passed).length / judged.length), "of concepts pass against shuffled annotations"]] : []),
  ];
}

function figures(view, means, curves, category) {
  const beside = view.beside ? ` (${differing(view, view.beside)})` : "";
  const elsewhere = view.beside && view.beside.run !== view.at.run;
  return h("div", { class: "columns wide-columns" },
    section(`Mean ${scoreTitle(view)} by layer, ${named(category)}`, byLayer(view, means[0], category, view.at, highest(means, category))),
    elsewhere ? section(`The same beside it${beside}`, byLayer(view, means[1], category, view.beside, highest(means, category))) : null,
    curves[0].layer.length ? section(`By number of filters, ${named(category)}`, byFilters(view, curves[0], category, view.at)) : null,
    elsewhere && curves[1].layer.length ? section(`By number of filters${beside}`, byFilters(view, curves[1], category, view.beside)) : null);
}

// The highest mean of a category with its error, so that figures side by side have one scale.
const highest = (tables, category) =>
  Math.max(1e-6, ...tables.flatMap((table) => rowsOf(table).filter((row) => row.category === category).map((row) => (row.mean ?? 0) + (row.stderr ?? 0))));

function byLayer(view, table, category, at, reach) {
  const run = view.runs[at.run];
  const layers = run.layers.filter((layer) => layer.tasks.includes(at.task)).map((layer) => layer.name);
  const rows = rowsOf(table).filter((row) => row.category === category);
  const points = (chosen) => chosen.map((row) => ({
    x: layers.indexOf(row.layer), y: row.mean,
    low: row.stderr === null ? null : row.mean - row.stderr, high: row.stderr === null ? null : row.mean + row.stderr,
    about: `${row.layer}, mean ${score(row.mean)} of ${several(row.n, "concept")}${row.stderr === null ? "" : `, standard error ${score(row.stderr)}`}`,
  }));
  const series = run.fits.map((fit, place) => ({
    name: fit.title, color: seriesColor(place === 0 ? 0 : place + 1), points: points(rows.filter((row) => row.fit === fit.name && row.method === "combined")),
  }));
  series.push({ name: view.method_titles.single, color: color("--single"), points: points(rows.filter((row) => row.method === "single")) });
  return lines({ series, names: layers, label: `Mean ${scoreTitle(view)} by layer`, yLabel: scoreTitle(view), reach });
}

function byFilters(view, table, category, at) {
  const run = view.runs[at.run];
  const rows = rowsOf(table).filter((row) => row.category === category);
  const layer = rows.some((row) => row.layer === at.layer) ? at.layer : rows.at(-1)?.layer;
  const series = run.fits.map((fit, place) => ({
    name: fit.title,
    color: seriesColor(place === 0 ? 0 : place + 1),
    points: rows.filter((row) => row.fit === fit.name && row.layer === layer).map((row) => ({
      x: row.filters, y: row.mean, about: `${several(row.filters, "filter")}: mean ${score(row.mean)} of ${several(row.n, "concept")}`,
    })),
  }));
  return [lines({ series, log: true, label: "Mean score by number of filters", xLabel: "filters", yLabel: scoreTitle(view) }),
    h("p", { class: "muted" }, layer === at.layer ? `On ${layer}.` : `Subsets were learned on ${layer}.`)];
}

function besides(view, rows) {
  const { run } = view;
  const xLabel = `${scoreTitle(view)}, ${view.beside ? differing(view, view.beside) : "best single filter"}`;
  const categories = [...new Set(rows.map((row) => row.category))];
  const drawn = rows.map((row) => ({
    x: view.beside ? row.other : row.single, y: row.score, name: row.name,
    href: link("concept", { name: row.name }), color: categoryColor(run.categories, row.category),
  }));
  return [
    scatter({ points: drawn, xLabel, yLabel: `${scoreTitle(view)}, all filters`, label: "Every concept, one score against another" }),
    h("div", { class: "legend" }, h("span", null, "dashed: equal"), categories.slice(0, 6).map((each) => h("span", null, h("i", { class: "swatch", style: { background: categoryColor(run.categories, each) } }), each))),
  ];
}

function lists(view, rows) {
  const listed = (name, key, text, sign = 1) => {
    const known = rows.filter((row) => row.enters && row[key] !== null && (sign > 0 || row[key] < 0));
    const chosen = known.sort((a, b) => sign * (b[key] - a[key])).slice(0, LISTED);
    return chosen.length ? section(name, bars(chosen.map((row) => ({ name: row.name, href: link("concept", { name: row.name }), value: row[key], text: text(row[key]) })))) : null;
  };
  if (view.beside) {
    const other = differing(view, view.beside);
    return [listed(`Furthest ahead of ${other}`, "ahead", signed), listed(`Furthest behind ${other}`, "ahead", signed, -1)];
  }
  return [
    listed("Best encoded", "score", score),
    listed("Most gained over one filter", "gain", signed),
    listed("Lost most against one filter", "gain", signed, -1),
  ];
}
