// Any picture: the concepts found in it, ranked, with their masks.

import { ask, pictureAddress, unpacked, upload } from "../api.js";
import { choose, color, failure, h, replace, section } from "../dom.js";
import { folded, percent, score, several } from "../format.js";
import { Overlay } from "../outlines.js";
import { rowsOf } from "../scores.js";
import { get, link, note, set } from "../state.js";

export const title = () => "Try";

const STRIP = 18;
const RANKS = { probability: "probability (classification)", area: "area of the mask", peak: "highest probability of a pixel" };

export async function render(root, view) {
  const status = await ask("status", { run: view.at.run });
  const name = get("picture");
  const result = h("div", { "aria-live": "polite" });
  replace(
    root,
    h("h1", null, "Try a picture"),
    status.reason ? h("p", { class: "note" }, status.reason) : null,
    status.masks ? dropZone() : null,
    result,
    status.pictures ? section("Or choose one of the dataset", await strip(view)) : null,
  );
  if (name && status.masks) show(result, view, name);
}

function dropZone() {
  const said = h("p", { class: "muted", role: "status" }, "JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF, up to 20 MiB. It stays on this machine.");
  const take = async (file) => {
    if (!file) return;
    said.textContent = `Reading ${file.name} …`;
    try {
      const { picture } = await upload(file);
      set({ picture });
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const input = h("input", { type: "file", accept: "image/*", class: "unseen", id: "file", onchange: () => take(input.files[0]) });
  const zone = h("div", { class: "drop" },
    input, h("label", { for: "file", class: "button" }, "Choose a picture"), h("span", null, " or drop it here"), said);
  const over = (on) => (event) => { event.preventDefault(); zone.classList.toggle("over", on); };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => { over(false)(event); take(event.dataTransfer.files[0]); });
  return zone;
}

async function strip(view) {
  const images = rowsOf(await ask("dataset-images", { run: view.at.run }));
  const list = h("div", { class: "strip" });
  const said = h("span", { class: "muted" });
  let first = 0;
  const draw = () => {
    const words = folded(get("image"));
    const chosen = images.filter((row) => row.split === get("split", "val") && folded(row.image).includes(words));
    first = Math.min(first, Math.max(0, Math.ceil(chosen.length / STRIP) - 1) * STRIP);
    said.textContent = `${several(chosen.length, "image")}, ${chosen.length ? first + 1 : 0} to ${Math.min(chosen.length, first + STRIP)}`;
    replace(list, chosen.slice(first, first + STRIP).map((row) =>
      h("a", { href: link("try", { picture: `image:${row.image}`, split: get("split") }), title: row.image }, h("img", { src: pictureAddress(`image:${row.image}`, view.at.run, 192), alt: row.image, loading: "lazy" }))));
  };
  const search = h("input", { type: "search", "data-search": true, placeholder: "file name  /", value: get("image"), "aria-label": "Find images", oninput: () => { note({ image: search.value }); first = 0; draw(); } });
  const turn = (by) => () => { first = Math.max(0, first + by * STRIP); draw(); };
  draw();
  return [
    h("div", { class: "tools" },
      choose("Images", [["val", "validation"], ["train", "training"]], get("split", "val"), (split) => { note({ split }); first = 0; draw(); }),
      h("label", { class: "field" }, h("span", null, "Find"), search),
      h("div", { class: "buttons" }, h("button", { type: "button", "aria-label": "Images before", onclick: turn(-1) }, "←"), h("button", { type: "button", "aria-label": "Images after", onclick: turn(1) }, "→")), said),
    list,
  ];
}

async function show(holder, view, name) {
  replace(holder, h("p", { class: "muted" }, "Looking …"));
  const asked = { run: view.at.run, layer: view.at.layer, fit: view.at.fit, name };
  let found;
  try {
    found = await ask("found", asked);
  } catch (error) {
    return replace(holder, failure(error));
  }
  const rows = rowsOf(found);
  const overlay = new Overlay(pictureAddress(name, view.at.run, 1280), "the picture");
  const list = h("ol", { class: "bars found" });
  const caption = h("p", { class: "muted", role: "status" }, "Point at a concept to see its mask; click to keep it.");
  const measures = Object.keys(RANKS).filter((key) => found[key].some((value) => value !== null));
  let kept = get("concept");
  const paint = async (concept) => {
    if (!concept) return overlay.show([]);
    const row = rows.find((each) => each.concept === concept);
    if (!row || row.area === null) return caption.textContent = `${concept}: this layer has not learned to segment it.`;
    const map = await ask("found-map", { ...asked, concept });
    overlay.show([{ mask: unpacked(map.mask, map.rows * map.columns), rows: map.rows, columns: map.columns, color: color("--mask"), fill: true }]);
    caption.textContent = `${concept}: ${row.area ? `${percent(row.area)} of the picture` : "no pixel"}; set IoU on validation images ${score(row.score)}.`;
  };
  const draw = (measure) => {
    const ranked = rows.filter((row) => row[measure] !== null).sort((a, b) => b[measure] - a[measure]);
    const most = Math.max(...ranked.map((row) => row[measure]), 1e-9);
    replace(list, ranked.map((row) => {
      const keep = () => { kept = kept === row.concept ? "" : row.concept; note({ concept: kept }); list.querySelectorAll("li").forEach((item) => item.classList.toggle("active", item.dataset.name === kept)); paint(kept); };
      const item = h("li", { "data-name": row.concept, class: row.concept === kept ? "active" : undefined, onpointerenter: () => paint(row.concept), onpointerleave: () => paint(kept) },
        h("button", { type: "button", class: "quiet name", onclick: keep, onfocus: () => paint(row.concept) }, row.concept),
        h("span", { class: "bar combined", "aria-hidden": "true" }, h("i", { style: { width: `${(100 * row[measure]) / most}%` } })),
        h("span", { class: "numeric" }, measure === "area" ? percent(row.area) : score(row[measure])));
      return item;
    }));
  };
  const measure = measures.includes(get("rank")) ? get("rank") : measures[0];
  replace(holder,
    h("div", { class: "columns wide-columns" },
      h("div", null, h("div", { class: "large" }, overlay.box), caption),
      h("div", null, h("div", { class: "tools" }, choose("Ranked by", measures.map((key) => [key, RANKS[key]]), measure, (rank) => { note({ rank }); draw(rank); })), list)));
  draw(measure);
  paint(kept);
}
