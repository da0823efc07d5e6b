// The images of a concept from worst to best, with masks that follow a cut.

import { ask, bytes, pictureAddress, unpacked } from "../api.js";
import { seriesColor } from "../charts.js";
import { check, choose, color, failure, h, replace, section } from "../dom.js";
import { count, plain, score, several } from "../format.js";
import { Overlay } from "../outlines.js";
import { fitTitle, rowsOf } from "../scores.js";
import { get, note } from "../state.js";

const PAGE = 12;
const CHUNK = 16;
const COUNTED = 256;

export function gallery(view, name) {
  const holder = h("div");
  const whole = section("Its images", holder);
  draw(holder, view, name).catch((error) => replace(holder, failure(error)));
  return whole;
}

async function draw(holder, view, name) {
  replace(holder, h("p", { class: "muted" }, "Opening the dataset and the network …"));
  const [images, status] = await Promise.all([ask("images", { ...view.at, name }), ask("status", { run: view.at.run })]);
  if (!view.current()) return;
  new Gallery(holder, view, name, images, status).start();
}

class Gallery {
  constructor(holder, view, name, images, status) {
    Object.assign(this, { holder, view, name, status });
    this.rows = rowsOf({ pair: images.pair, image: images.image, split: images.split, single: images.single, by_fit: images.by_fit });
    this.fits = images.fits;
    this.place = this.fits.indexOf(view.at.fit);
    this.shownFits = new Set([view.at.fit]);
    this.truth = true;
    this.single = false;
    this.masks = new Map();
    this.counts = new Map();
    this.cards = [];
    this.shown = PAGE;
    this.cut = null;
  }

  start() {
    this.list = h("div", { class: "gallery" });
    this.more = h("button", { type: "button", onclick: () => this.fill(this.shown += PAGE) }, "More images");
    this.said = h("p", { class: "muted", role: "status" });
    this.slider = h("input", { type: "range", min: 0, max: 1, step: 1, "aria-label": "Cut", disabled: true, oninput: () => this.turn() });
    this.told = h("output", null, "");
    const refill = (key) => (value) => { note({ [key]: value }); this.shown = PAGE; this.fill(); };
    replace(
      this.holder,
      this.status.reason ? h("p", { class: "note" }, `${this.status.pictures ? "Pictures without masks" : "No pictures"}: ${this.status.reason}`) : null,
      h("div", { class: "tools" },
        choose("Images", [["val", "validation"], ["train", "training"]], get("split", "val"), refill("split")),
        choose("From", [["worst", "worst to best"], ["best", "best to worst"]], get("from", "worst"), refill("from")),
        choose("By the individual IoU of", [["fit", fitTitle(this.view.run, this.view.at.fit)], ["single", "the best single filter"]], get("by", "fit"), refill("by"))),
      this.status.masks ? this.switches() : null,
      this.said, this.list, this.more);
    this.fill();
    if (this.status.masks) this.countAll().catch((error) => { this.told.textContent = error.message; });
  }

  switches() {
    const changed = (act) => (on) => { act(on); this.load(); };
    return h("div", { class: "tools sticky" },
      check("truth", this.truth, changed((on) => { this.truth = on; }), "linear-gradient(#333, #fff 40% 60%, #333)"),
      check("best single filter", this.single, changed((on) => { this.single = on; }), color("--single")),
      this.fits.map((fit) => check(fitTitle(this.view.run, fit), this.shownFits.has(fit), changed((on) => { this.shownFits[on ? "add" : "delete"](fit); }), this.colorOf(fit))),
      h("label", { class: "field cut" }, h("span", null, `Cut of the ${fitTitle(this.view.run, this.view.at.fit)}`), this.slider),
      h("button", { type: "button", class: "quiet", onclick: () => { this.slider.value = this.own; this.turn(); } }, "its own"),
      this.told);
  }

  colorOf(fit) {
    const place = this.fits.indexOf(fit);
    return seriesColor(place === 0 ? 0 : place + 1);
  }

  iou(row) {
    return get("by", "fit") === "single" ? row.single : row.by_fit[this.place];
  }

  fill() {
    const chosen = this.rows.filter((row) => row.split === get("split", "val"));
    const sign = get("from", "worst") === "worst" ? 1 : -1;
    chosen.sort((a, b) => sign * ((this.iou(a) ?? 0) - (this.iou(b) ?? 0)));
    const page = chosen.slice(0, this.shown);
    this.said.textContent = `${count(page.length)} of ${several(chosen.length, "image")}.`;
    this.more.hidden = page.length >= chosen.length;
    const kept = new Map(this.cards.map((card) => [card.row.pair, card]));
    this.cards = page.map((row) => kept.get(row.pair) ?? this.card(row));
    replace(this.list, this.cards.map((card) => card.box));
    this.load();
  }

  card(row) {
    const overlay = new Overlay(pictureAddress(`image:${row.image}`, this.view.at.run, 320), row.image);
    const values = [`all filters ${score(row.by_fit[this.place])}`, `single ${score(row.single)}`];
    return { row, overlay, box: h("figure", { class: "card" }, this.status.pictures ? overlay.box : h("div", { class: "blank" }, "no picture"), h("figcaption", null, h("span", { title: row.image }, values.join(", ")))) };
  }

  async load() {
    if (!this.status.masks) return;
    for (let first = 0; first < this.cards.length; first += CHUNK) {
      const cards = this.cards.slice(first, first + CHUNK);
      const fits = new Set([this.view.at.fit, ...this.shownFits]);
      for (const fit of fits) await this.fetch(fit, cards.map((card) => card.row.pair), true);
      if (!this.view.current()) return;
      cards.forEach((card) => this.paint(card));
    }
  }

  async fetch(fit, pairs, maps) {
    const kept = maps ? this.masks : this.counts;
    const missing = pairs.filter((pair) => !kept.has(`${fit} ${pair}`));
    if (!missing.length) return;
    const found = await ask("masks", { ...this.view.at, fit, name: this.name, pairs: missing.join(","), maps });
    for (const image of found.images) {
      const pixels = found.rows * found.columns;
      if (fit === this.view.at.fit) this.counts.set(`${fit} ${image.pair}`, image);
      if (maps) {
        this.masks.set(`${fit} ${image.pair}`, {
          rows: found.rows, columns: found.columns, own: found.own,
          truth: unpacked(image.truth, pixels), single: unpacked(image.single, pixels), levels: bytes(image.levels),
        });
      }
    }
    if (fit === this.view.at.fit && this.cut === null) this.ready(found);
  }

  ready(found) {
    this.cuts = found.cuts;
    this.own = found.own;
    this.cut = found.own;
    this.slider.max = found.cuts.length - 1;
    this.slider.value = found.own;
    this.slider.disabled = false;
  }

  paint(card) {
    const layers = [];
    const mine = this.masks.get(`${this.view.at.fit} ${card.row.pair}`);
    if (!mine) return;
    for (const fit of this.shownFits) {
      const found = this.masks.get(`${fit} ${card.row.pair}`);
      if (!found) continue;
      const cut = fit === this.view.at.fit ? this.cut : found.own;
      layers.push({ ...found, mask: found.levels.map((level) => Number(level > cut)), color: this.colorOf(fit), fill: true });
    }
    if (this.single) layers.push({ ...mine, mask: mine.single, color: color("--single"), fill: true });
    if (this.truth) layers.push({ ...mine, mask: mine.truth, truth: true });
    card.overlay.show(layers);
  }

  turn() {
    this.cut = Number(this.slider.value);
    this.cards.forEach((card) => this.paint(card));
    this.tell();
  }

  // Set IoU at the cut, over the validation images counted so far.
  tell() {
    const counted = this.rows.filter((row) => row.split === "val").map((row) => this.counts.get(`${this.view.at.fit} ${row.pair}`)).filter(Boolean);
    const total = this.rows.filter((row) => row.split === "val").length;
    const sum = (pick) => counted.reduce((all, image) => all + pick(image), 0);
    const shared = sum((image) => image.shared[this.cut] ?? 0);
    const union = sum((image) => image.area + (image.predicted[this.cut] ?? 0)) - shared;
    const part = counted.length < total ? `${counted.length} of ${several(total, "validation image")}` : `all ${several(total, "validation image")}`;
    this.told.textContent = `cut ${plain(this.cuts[this.cut])}: set IoU ${score(union ? shared / union : 0)} over ${part}${this.cut === this.own ? " (the fit’s own cut)" : ""}`;
  }

  async countAll() {
    const pairs = this.rows.filter((row) => row.split === "val").slice(0, COUNTED).map((row) => row.pair);
    for (let first = 0; first < pairs.length; first += CHUNK) {
      await this.fetch(this.view.at.fit, pairs.slice(first, first + CHUNK), false);
      if (!this.view.current()) return;
      this.tell();
    }
  }
}
