// The matrix of concepts and filters.

import { ask, askFloats } from "../api.js";
import { choose, h, replace } from "../dom.js";
import { several, plain } from "../format.js";
import { Heatmap } from "../heatmap.js";
import { get, go, note, set } from "../state.js";

export const title = () => "Filters";

const ORDERS = [["alike", "like beside like"], ["run", "as in the run"], ["category", "by category"]];

export async function render(root, view) {
  const values = view.at.task === "segment" ? get("values", "weights") : "weights";
  const asked = { ...view.at, values };
  const [index, matrix] = await Promise.all([ask("matrix-index", asked), askFloats("matrix", asked)]);
  const wide = index.filter.length;
  const said = h("p", { class: "readout", role: "status" }, "Point at a cell, or move with the arrow keys; Enter or a click opens the filter, a name its concept.");
  const told = (cell) => {
    if (!cell) return;
    const name = index.concept[cell.row];
    said.textContent = cell.column === null
      ? `${name} (${index.category[cell.row]})`
      : `${name} (${index.category[cell.row]}), filter ${index.filter[cell.column]}: ${values === "iou" ? "set IoU" : "weight"} ${plain(matrix[cell.row * wide + cell.column])}`;
  };
  const map = new Heatmap({
    values: matrix, ...ordered(index, get("order", "alike")), rowNames: index.concept, columnNames: index.filter, largest: index.largest || 1,
    label: `${values === "iou" ? "Set IoU" : "Weights"} of ${several(index.concept.length, "concept")} and ${several(wide, "filter")}`,
    onHover: told,
    onOpen: ({ row, column }) => (column === null ? go("concept", { name: index.concept[row] }) : go("filter", { index: index.filter[column], concept: index.concept[row] })),
  });
  const arrange = (order) => {
    note({ order: order === "alike" ? "" : order });
    const { rows, columns } = ordered(index, order);
    map.arrange(rows, columns);
  };
  const field = h("input", { type: "number", min: 0, max: wide - 1, "aria-label": "Filter", onchange: () => field.value !== "" && go("filter", { index: field.value }) });
  const search = h("input", { type: "search", "data-search": true, placeholder: "concept  /", "aria-label": "Show a concept", oninput: () => reveal(map, index, search.value) });
  replace(
    root,
    h("h1", null, "Filters"),
    h("div", { class: "tools" },
      view.at.task === "segment" ? choose("Values", [["weights", "weights, each concept’s of length 1"], ["iou", "set IoU of each filter by itself"]], values, (value) => set({ values: value })) : null,
      choose("Order", ORDERS, get("order", "alike"), arrange),
      h("label", { class: "field" }, h("span", null, "Show a concept"), search),
      h("label", { class: "field narrow" }, h("span", null, "Go to filter"), field),
      h("div", { class: "buttons" },
        h("button", { type: "button", "aria-label": "Nearer", onclick: () => map.zoom(1.5) }, "+"),
        h("button", { type: "button", "aria-label": "Farther", onclick: () => map.zoom(1 / 1.5) }, "−"),
        h("button", { type: "button", onclick: () => { map.reset(); map.draw(); } }, "all"))),
    said,
    map.box,
    h("div", { class: "legend" },
      h("span", null, h("i", { class: "scale up", "aria-hidden": "true" }), `0 to ${plain(index.largest)}`),
      values === "weights" ? h("span", null, h("i", { class: "scale down", "aria-hidden": "true" }), `0 to −${plain(index.largest)}`) : null,
      h("span", null, `${several(index.concept.length, "concept")} × ${several(wide, "filter")}`)),
  );
}

function ordered(index, order) {
  const all = (list) => list.map((_, place) => place);
  if (order === "run") return { rows: all(index.concept), columns: all(index.filter) };
  if (order === "category") {
    const place = new Map(index.concept_order.map((row, at) => [row, at]));
    const rows = all(index.concept).sort((a, b) => index.category[a].localeCompare(index.category[b]) || place.get(a) - place.get(b));
    return { rows, columns: index.filter_order };
  }
  return { rows: index.concept_order, columns: index.filter_order };
}

function reveal(map, index, text) {
  const wanted = text.trim().toLowerCase();
  const row = wanted ? map.rows.findIndex((each) => index.concept[each].toLowerCase().includes(wanted)) : -1;
  if (row < 0) return;
  const rows = Math.min(map.rows.length, 30);
  map.move(row - rows / 2, 0, rows, map.columns.length);
  map.select({ row, column: 0 });
}
