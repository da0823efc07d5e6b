// Concepts as points in a plane: zoomed, chosen with a lasso, with labels that do not overlap.

import { color, h, onWidth, sized } from "./dom.js";
import { listenToPointers } from "./pointers.js";

const RADIUS = 5;
const LABEL = 12;
const MOVING = 450;

export class PointMap {
  // `pick(names, added)` is called with what a lasso or a click chose, `hover(name)` while pointing.
  constructor({ label, pick, hover }) {
    Object.assign(this, { pick, hover });
    this.canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": label });
    this.box = h("div", { class: "map-box" }, this.canvas);
    this.points = [];
    this.chosen = new Set();
    this.lassoing = false;
    this.listen();
    onWidth(this.box, (width) => {
      this.width = width;
      this.height = Math.round(Math.min(620, Math.max(320, width * 0.75)));
      this.fit();
    });
  }

  // Points are { name, x, y, color, weight }; with the same names they glide to their new places.
  show(points, near) {
    const before = new Map(this.points.map((point) => [point.name, point]));
    const gliding = this.width && before.size && points.every((point) => before.has(point.name)) && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.near = near;
    this.place = new Map(points.map((point, at) => [point.name, at]));
    this.points = points;
    this.bounds();
    if (!gliding) return this.fit();
    const from = points.map((point) => this.screen(before.get(point.name), this.old));
    const start = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - start) / MOVING);
      const eased = part * (2 - part);
      this.draw(points.map((point, at) => {
        const to = this.screen(point);
        return [from[at][0] + (to[0] - from[at][0]) * eased, from[at][1] + (to[1] - from[at][1]) * eased];
      }));
      if (part < 1 && this.points === points) requestAnimationFrame(step);
    };
    this.old = this.extent;
    this.zoomed = { scale: 1, x: 0, y: 0 };
    requestAnimationFrame(step);
  }

  bounds() {
    this.old = this.extent;
    const pick = (key) => this.points.map((point) => point[key]);
    const around = (values) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return [low, high - low || 1];
    };
    this.extent = { x: around(pick("x")), y: around(pick("y")) };
  }

  fit() {
    this.zoomed = { scale: 1, x: 0, y: 0 };
    if (this.points.length) this.draw();
  }

  screen(point, extent = this.extent) {
    const edge = 36;
    const x = edge + ((point.x - extent.x[0]) / extent.x[1]) * (this.width - 2 * edge);
    const y = edge + (1 - (point.y - extent.y[0]) / extent.y[1]) * (this.height - 2 * edge);
    const { scale, x: dx, y: dy } = this.zoomed;
    return [x * scale + dx, y * scale + dy];
  }

  select(names) {
    this.chosen = new Set(names);
    if (this.width) this.draw();
  }

  point(name) {
    if (name === this.pointed) return;
    this.pointed = name;
    if (this.width && this.points.length) this.draw();
  }

  // Concepts with a ring, such as the answer of a sum.
  ring(names) {
    this.ringed = new Set(names);
    this.draw();
  }

  draw(places = this.points.map((point) => this.screen(point))) {
    if (!this.width || !this.points.length) return;
    this.places = places;
    const context = sized(this.canvas, this.width, this.height);
    const paints = { text: color("--text"), page: color("--page"), muted: color("--muted"), line: color("--combined") };
    context.clearRect(0, 0, this.width, this.height);
    this.drawNeighbours(context, paints);
    const any = this.chosen.size > 0;
    this.points.forEach((point, at) => {
      const [x, y] = places[at];
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) return;
      const strong = this.chosen.has(point.name) || point.name === this.pointed;
      context.globalAlpha = any && !strong ? 0.3 : 0.92;
      context.fillStyle = point.color;
      context.beginPath();
      context.arc(x, y, strong ? RADIUS + 2 : RADIUS, 0, 7);
      context.fill();
      if (strong || this.ringed?.has(point.name)) {
        context.globalAlpha = 1;
        context.lineWidth = 2;
        context.strokeStyle = paints.text;
        context.stroke();
      }
    });
    context.globalAlpha = 1;
    this.drawLabels(context, paints);
  }

  // The lasso over what was drawn when it began: the points stay where they are.
  drawLasso() {
    if (!this.places) return;
    if (!this.below) {
      this.below = new OffscreenCanvas(this.canvas.width, this.canvas.height);
      this.below.getContext("2d").drawImage(this.canvas, 0, 0);
    }
    const context = sized(this.canvas, this.width, this.height);
    context.drawImage(this.below, 0, 0, this.width, this.height);
    context.strokeStyle = color("--text");
    context.setLineDash([4, 3]);
    context.lineWidth = 1.5;
    context.beginPath();
    this.lasso.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.stroke();
  }

  drawNeighbours(context, paints) {
    const shown = this.pointed ?? (this.chosen.size === 1 ? [...this.chosen][0] : null);
    const at = this.place.get(shown);
    if (at === undefined) return;
    context.strokeStyle = paints.line;
    this.near.near[at].forEach((other, rank) => {
      context.globalAlpha = Math.max(0.12, this.near.cosine[at][rank]);
      context.lineWidth = Math.max(0.8, 4 * this.near.cosine[at][rank]);
      context.beginPath();
      context.moveTo(...this.places[at]);
      context.lineTo(...this.places[other]);
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  // Labels by weight, each where none is yet: right, left, above or below its point.
  drawLabels(context, paints) {
    context.font = `${LABEL}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const at = this.place.get(this.pointed);
    const close = new Set(at === undefined ? [] : this.near.near[at].map((other) => this.points[other].name));
    const rank = (point) => (point.name === this.pointed ? 4 : this.chosen.has(point.name) || this.ringed?.has(point.name) ? 3 : close.has(point.name) ? 2 : 0) + (point.weight ?? 0);
    const order = this.points.map((_, place) => place).sort((a, b) => rank(this.points[b]) - rank(this.points[a]));
    const taken = [];
    const cell = 64;
    const grid = new Map();
    const cells = function* ([x0, y0, x1, y1]) {
      for (let x = Math.floor(x0 / cell); x <= Math.floor(x1 / cell); x++) for (let y = Math.floor(y0 / cell); y <= Math.floor(y1 / cell); y++) yield `${x},${y}`;
    };
    const take = (box) => { for (const key of cells(box)) grid.set(key, [...(grid.get(key) ?? []), box]); };
    const free = (box) => {
      if (box[0] < 0 || box[1] < 0 || box[2] > this.width || box[3] > this.height) return false;
      for (const key of cells(box)) for (const other of grid.get(key) ?? []) if (box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]) return false;
      return true;
    };
    // No label hides a point.
    for (const [x, y] of this.places) take([x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]);
    for (const place of order) {
      const point = this.points[place];
      const [x, y] = this.places[place];
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      point.wide ??= context.measureText(point.name).width;
      const [wide, half, gap] = [point.wide, LABEL / 2 + 1, RADIUS + 4];
      const spots = [[x + gap, y], [x - gap - wide, y], [x - wide / 2, y - gap - half], [x - wide / 2, y + gap + half]];
      const boxOf = ([left, middle]) => [left - 2, middle - half, left + wide + 2, middle + half];
      // What was pointed at or chosen is named in any case.
      const spot = spots.find((each) => free(boxOf(each))) ?? (rank(point) >= 3 ? spots[0] : null);
      if (!spot) continue;
      take(boxOf(spot));
      taken.push([point.name, spot]);
    }
    context.strokeStyle = paints.page;
    context.lineWidth = 3;
    for (const [name, spot] of taken) {
      context.fillStyle = name === this.pointed || this.chosen.has(name) || !this.chosen.size ? paints.text : paints.muted;
      context.strokeText(name, ...spot);
      context.fillText(name, ...spot);
    }
    this.labelled = taken.length;
  }

  nearest(x, y) {
    let [best, least] = [null, 14 ** 2];
    this.places?.forEach(([px, py], at) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [this.points[at].name, distance];
    });
    return best;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(40, Math.max(1, this.zoomed.scale * factor));
    const real = scale / this.zoomed.scale;
    this.zoomed = scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: x - (x - this.zoomed.x) * real, y: y - (y - this.zoomed.y) * real };
    this.draw();
  }

  shift(x, y) {
    this.zoomed.x += x;
    this.zoomed.y += y;
    this.draw();
  }

  inside([x, y]) {
    let within = false;
    this.lasso.forEach(([x1, y1], at) => {
      const [x2, y2] = this.lasso[(at + 1) % this.lasso.length];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
    });
    return within;
  }

  listen() {
    listenToPointers(this.canvas, {
      press: (place, event) => { if (this.lassoing || event.shiftKey) this.lasso = [place]; },
      hover: (place) => this.hover(place && this.nearest(...place)),
      drag: (now, before) => {
        if (!this.lasso) return this.shift(now[0] - before[0], now[1] - before[1]);
        this.lasso.push(now);
        this.drawLasso();
      },
      zoom: (factor, x, y) => { if (!this.lasso) this.zoom(factor, x, y); },
      release: (travelled) => {
        const found = this.places && this.lasso?.length > 2 && travelled > 8 ? this.points.filter((_, at) => this.inside(this.places[at])) : null;
        if (this.lasso) this.draw();
        this.lasso = this.below = null;
        if (found) this.pick(found.map((point) => point.name), false);
      },
      click: (place, event) => {
        const name = this.nearest(...place);
        this.pick(name === null ? [] : [name], event.ctrlKey || event.metaKey);
      },
    });
    this.canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
      if (event.key === "+" || event.key === "=") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else if (event.key in moves) this.shift(...moves[event.key]);
      else return;
      event.preventDefault();
    });
  }
}
