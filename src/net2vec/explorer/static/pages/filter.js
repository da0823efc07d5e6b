// One filter: its most active images, the concepts that it finds and those that use it.

import { ask, pictureAddress, unpacked } from "../api.js";
import { bars, histogram } from "../charts.js";
import { color, failure, h, replace, section } from "../dom.js";
import { percent, plain, score, several } from "../format.js";
import { Overlay } from "../outlines.js";
import { fitTitle, rowsOf } from "../scores.js";
import { get, link } from "../state.js";

const LISTED = 15;

export const title = () => `Filter ${get("index")}`;

export async function render(root, view) {
  const index = Number(get("index"));
  const detail = await ask("filter", { ...view.at, index });
  const layer = view.run.layers.find((each) => each.name === view.at.layer);
  const step = (by, text) => {
    const to = index + by;
    return to >= 0 && to < layer.filters ? h("a", { href: link("filter", { index: to }), rel: by < 0 ? "prev" : "next" }, text) : null;
  };
  const rows = rowsOf(detail, ["concept", "category", "iou", "weight", "rank", "best"]);
  replace(
    root,
    h("h1", null, `Filter ${index}`, h("span", { class: "chip" }, view.at.layer)),
    h("p", { class: "subtitle" }, `On above ${plain(detail.threshold)}, at ${percent(detail.active_share)} of all places.`),
    h("p", { class: "tools" }, step(-1, "← previous filter"), step(1, "next filter →")),
    section("Its most active images", images(view, detail, index)),
    h("div", { class: "columns" }, finds(view, rows), uses(view, rows, 1), uses(view, rows, -1)),
    section("Distribution of its activation", distribution(view, index)),
  );
}

function finds(view, rows) {
  if (view.at.task !== "segment") return null;
  const best = [...rows].filter((row) => row.iou > 0).sort((a, b) => b.iou - a.iou).slice(0, LISTED);
  return section("Concepts that it finds alone",
    bars(best.map((row) => ({ name: row.concept, href: link("concept", { name: row.concept }), value: row.iou, text: score(row.iou), active: row.best, about: row.best ? "this filter is its best" : undefined })), { tone: "single" }),
    h("p", { class: "muted" }, "Set IoU on validation images; marked where no other filter is better on training images."));
}

function uses(view, rows, sign) {
  const largest = Math.max(...rows.map((row) => Math.abs(row.weight ?? 0)));
  const wanted = get("concept");
  const used = [...rows].filter((row) => sign * row.weight > 0).sort((a, b) => a.rank - b.rank || sign * (b.weight - a.weight)).slice(0, LISTED);
  const shown = used.map((row) => ({
    name: row.concept, href: link("concept", { name: row.concept }), value: row.weight, text: `${plain(row.weight)}, no. ${row.rank ?? "–"}`,
    about: `number ${row.rank} of its weights by size`, active: row.concept === wanted,
  }));
  return section(sign > 0 ? "Concepts that use it" : "Concepts that it speaks against",
    shown.length ? bars(shown, { largest }) : h("p", { class: "muted" }, "None."),
    h("p", { class: "muted" }, `Weights of the ${fitTitle(view.run, view.at.fit)}, ordered by their place among each concept’s weights.`));
}

function images(view, detail, index) {
  const holder = h("div", null, h("p", { class: "muted" }, "Opening the dataset and the network …"));
  drawImages(holder, view, detail, index).catch((error) => replace(holder, failure(error)));
  return holder;
}

async function drawImages(holder, view, detail, index) {
  const status = await ask("status", { run: view.at.run });
  const overlays = detail.image.map((image) => new Overlay(pictureAddress(`image:${image}`, view.at.run, 320), image));
  replace(holder,
    status.reason ? h("p", { class: "note" }, `${status.pictures ? "Pictures without masks" : "No pictures"}: ${status.reason}`) : null,
    h("div", { class: "gallery" }, overlays.map((overlay, place) =>
      h("figure", { class: "card" }, status.pictures ? overlay.box : h("div", { class: "blank" }, "no picture"), h("figcaption", { title: detail.image[place] }, `highest ${plain(detail.activation[place])}`)))));
  if (!status.masks) return;
  const found = await ask("filter-masks", { ...view.at, index, count: detail.image.length });
  found.masks.forEach(({ rows, columns, mask }, place) => {
    overlays[place]?.show([{ mask: unpacked(mask, rows * columns), rows, columns, color: color("--single"), fill: true }]);
  });
}

function distribution(view, index) {
  const holder = h("div", null, h("p", { class: "muted" }, "Counted when this comes into sight."));
  new IntersectionObserver(async (entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    try {
      const found = await ask("activation", { ...view.at, index });
      replace(holder,
        histogram({ edge: found.edge, count: found.count, mark: found.threshold, label: "Distribution of the activation" }),
        h("p", { class: "muted" }, `Over all places of ${several(found.images, "image")}, evenly chosen from the dataset; the filter is on right of the line.`));
    } catch (error) {
      replace(holder, failure(error));
    }
  }).observe(holder);
  return holder;
}
