// One concept: its scores, weights, neighbours, images and confusions.

import { ask } from "../api.js";
import { bars, lines, seriesColor } from "../charts.js";
import { color, failure, h, replace, section } from "../dom.js";
import { capital, cosine, count, percent, plain, score, several } from "../format.js";
import { fitTitle, scoreTitle } from "../scores.js";
import { get, link } from "../state.js";
import { confusions } from "./confusions.js";
import { gallery } from "./gallery.js";

const WEIGHTS = 15;
const PARTS = 12;
const NEAR = 5;

export const title = () => get("name") || "Concept";

export async function render(root, view) {
  const name = get("name");
  const asked = { ...view.at, name };
  const [detail, near, all] = await Promise.all([ask("concept", asked), ask("neighbours", { ...asked, n: NEAR }), ask("concepts", view.at)]);
  replace(
    root,
    h("h1", null, name, h("span", { class: "chip" }, detail.category)),
    h("p", { class: "subtitle" }, subtitle(view, detail)),
    h("div", { class: "columns wide-columns" },
      section(`${capital(scoreTitle(view))} by layer, with 95 % intervals`, byLayer(view, detail)),
      byFilters(view, detail)),
    section("Largest weights", weights(view, detail)),
    section("Nearest concepts", neighbours(view, near, name, all.name)),
    view.at.task === "segment" ? gallery(view, name) : null,
    view.at.task === "segment" ? confusions(view, name) : null,
  );
}

function subtitle(view, detail) {
  const mine = (method) => detail.scores.find((row) => row.layer === view.at.layer && row.fit === view.at.fit && row.method === method);
  const told = (row) => (row ? score(row.value) + (row.low === null ? "" : ` (${score(row.low)} to ${score(row.high)})`) : "–");
  return `All filters ${told(mine("combined"))}, best single filter ${told(mine("single"))} (filter ${detail.best_filter}); `
    + `${several(detail.n_train, "training image")}, ${count(detail.n_val)} for validation; covers ${percent(detail.size)} of an image that contains it.`;
}

function pointOf(row, x) {
  const interval = row.low === null ? "" : `, ${score(row.low)} to ${score(row.high)}`;
  return { x, y: row.value, low: row.low, high: row.high, about: `${row.layer}, ${several(row.filters, "filter")}: ${score(row.value)}${interval}, ${several(row.n, "image")}` };
}

function byLayer(view, detail) {
  const layers = view.run.layers.filter((layer) => layer.tasks.includes(view.at.task)).map((layer) => layer.name);
  const points = (method, fit) => detail.scores.filter((row) => row.method === method && row.fit === fit).map((row) => pointOf(row, layers.indexOf(row.layer)));
  const series = view.run.fits.map((fit, place) => ({ name: fit.title, color: seriesColor(place === 0 ? 0 : place + 1), points: points("combined", fit.name) }));
  series.push({ name: view.method_titles.single, color: color("--single"), points: points("single", view.at.fit) });
  return lines({ series, names: layers, label: "Score by layer", yLabel: scoreTitle(view) });
}

function byFilters(view, detail) {
  const having = detail.scores.filter((row) => row.method === "subset").map((row) => row.layer);
  if (!having.length) return null;
  const layer = having.includes(view.at.layer) ? view.at.layer : having.at(-1);
  const series = view.run.fits.map((fit, place) => ({
    name: fit.title,
    color: seriesColor(place === 0 ? 0 : place + 1),
    points: detail.scores.filter((row) => row.layer === layer && row.fit === fit.name && (row.method === "subset" || row.method === "combined")).map((row) => pointOf(row, row.filters)),
  }));
  return section(`By number of filters, on ${layer}`, lines({ series, log: true, label: "Score by number of filters", xLabel: "filters", yLabel: scoreTitle(view) }));
}

function weights(view, detail) {
  const { filter, weight, iou } = detail.weights;
  const rows = filter.map((index, place) => ({
    name: `filter ${index}`, href: link("filter", { index, concept: detail.name }), value: weight[place], text: plain(weight[place]),
    about: iou[place] === null ? undefined : `by itself set IoU ${score(iou[place])}`,
    active: index === detail.best_filter,
  }));
  const largest = Math.max(...weight.map(Math.abs));
  const side = (name, chosen, none) => h("div", null, h("h3", null, name), chosen.length ? bars(chosen.slice(0, WEIGHTS), { largest }) : h("p", { class: "muted" }, none));
  return [
    h("div", { class: "columns" },
      side("For the concept", rows.filter((row) => row.value > 0), "None is positive."),
      side("Against it", rows.filter((row) => row.value < 0), "None is negative.")),
    h("p", { class: "muted" }, `Weights of the ${fitTitle(view.run, view.at.fit)} on ${view.at.layer}; the best single filter is marked.`),
  ];
}

function neighbours(view, near, name, names) {
  const why = h("div", { "aria-live": "polite" });
  const explain = async (space, other) => {
    try {
      replace(why, reasons(view, await ask("pair", { run: view.at.run, task: view.at.task, layer: space.layer, fit: space.fit, name, other }), name, other, space));
      why.scrollIntoView({ block: "nearest" });
    } catch (error) {
      replace(why, failure(error));
    }
  };
  const mine = (space) => space.layer === view.at.layer && space.fit === view.at.fit;
  const spaces = [...near.spaces].sort((a, b) => mine(b) - mine(a));
  const field = h("input", {
    type: "search", list: "others", placeholder: "another concept", autocomplete: "off",
    onchange: () => field.value.trim() && explain(view.at, field.value.trim()),
  });
  return [
    h("div", { class: "tools" }, h("label", { class: "field" }, h("span", null, `Why is ${name} near, or far from`), field),
      h("datalist", { id: "others" }, names.filter((other) => other !== name).map((other) => h("option", { value: other })))),
    h("div", { class: "columns" }, spaces.map((space) =>
      h("div", { class: "panel" },
        h("h3", null, `${space.layer}, ${fitTitle(view.run, space.fit)}`),
        h("ol", { class: "near" }, space.concept.map((other, place) =>
          h("li", null,
            h("a", { href: link("concept", { name: other, layer: space.layer, fit: space.fit }) }, other),
            h("span", { class: "numeric" }, cosine(space.cosine[place])),
            h("button", { type: "button", class: "quiet", "aria-label": `Why is ${name} near ${other} on ${space.layer}, ${space.fit}`, onclick: () => explain(space, other) }, "why"))))))),
    why,
  ];
}

// The filters that make two vectors alike, by their parts of the cosine.
function reasons(view, pair, name, other, space) {
  const rows = pair.filter.map((index, place) => ({
    name: `filter ${index}`, href: link("filter", { index, layer: space.layer, fit: space.fit, concept: name }), value: pair.part[place],
    text: `${plain(pair.part[place])}`, about: `${name} ${plain(pair.one[place])}, ${other} ${plain(pair.other[place])}`,
  }));
  const alike = rows.filter((row) => row.value > 0).slice(0, PARTS);
  const apart = rows.filter((row) => row.value < 0).slice(0, PARTS);
  const largest = Math.max(...rows.map((row) => Math.abs(row.value)), 1e-12);
  const shared = pair.part.filter((part) => part > 0).slice(0, 5).reduce((sum, part) => sum + part, 0);
  return h("div", { class: "panel" },
    h("h3", null, `${name} and ${other}: cosine ${cosine(pair.cosine)}`),
    h("p", { class: "muted" }, `Each filter’s part of the cosine on ${space.layer}, ${fitTitle(view.run, space.fit)}; all parts add up to it. The five largest give ${cosine(shared)}.`),
    h("div", { class: "columns" },
      h("div", null, h("h4", null, "Filters that both use alike"), bars(alike, { largest })),
      h("div", null, h("h4", null, "Filters that tell them apart"), apart.length ? bars(apart, { largest }) : h("p", { class: "muted" }, `None of the ${rows.length} largest parts is negative.`))));
}
