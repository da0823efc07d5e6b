// What pages that show scores share: names of series, colours of categories, a table's rows.

import { seriesColor } from "./charts.js";
import { color } from "./dom.js";

export const fitTitle = (run, name) => run.fits.find((fit) => fit.name === name)?.title ?? name;

// A run, layer and fit in as few words as tell it from another, by default the selection.
export function differing({ at, runs }, other, from = at) {
  const parts = [
    other.run !== from.run ? runs[other.run].label : "",
    other.layer !== from.layer ? other.layer : "",
    other.fit !== from.fit ? fitTitle(runs[other.run], other.fit) : "",
  ];
  return parts.filter(Boolean).join(", ") || "the same";
}

export const categoryColor = (categories, category) => {
  const place = categories.indexOf(category);
  return place < 0 ? color("--muted") : seriesColor(place);
};

// The rows of a table that came as columns.
export function rowsOf(table, keys = Object.keys(table)) {
  const columns = keys.filter((key) => Array.isArray(table[key]));
  return table[columns[0]].map((_, place) => Object.fromEntries(columns.map((key) => [key, table[key][place]])));
}

export const scoreTitle = (view) => view.score_titles[view.at.task] ?? "score";
