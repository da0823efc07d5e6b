// A matrix of any size as a picture: zoomed and moved with wheel, fingers, mouse and keys.

import { color, h, onWidth, sized } from "./dom.js";
import { listenToPointers } from "./pointers.js";

const NAMES = 130;
const READABLE = 11;
const CLOSEST = 40;

function ramp(from, to) {
  const parse = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const [a, b] = [parse(from), parse(to)];
  // The root lets small values show.
  return Array.from({ length: 256 }, (_, at) => a.map((value, channel) => value + (b[channel] - value) * Math.sqrt(at / 255)));
}

export class Heatmap {
  constructor({ values, rows, columns, rowNames, columnNames, largest, onHover, onOpen, label }) {
    Object.assign(this, { values, rows, columns, rowNames, columnNames, largest, onHover, onOpen });
    this.canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": label, class: "heatmap" });
    this.box = h("div", { class: "heatmap-box" }, this.canvas);
    this.height = Math.max(240, Math.min(620, innerHeight - 260));
    this.reset();
    this.listen();
    onWidth(this.box, (width) => {
      this.width = width;
      this.names = width > 700 ? NAMES : 84;
      this.draw();
    });
  }

  // What is in sight: the first row and column, and how many of each.
  reset() {
    this.sight = { row: 0, column: 0, rows: this.rows.length, columns: this.columns.length };
  }

  // Rows and columns in another order.
  arrange(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.picture = null;
    this.draw();
  }

  paint() {
    const [many, wide] = [this.rows.length, this.columns.length];
    const canvas = new OffscreenCanvas(wide, many);
    const context = canvas.getContext("2d");
    const image = context.createImageData(wide, many);
    const [up, down] = [ramp(color("--heat-none"), color("--combined")), ramp(color("--heat-none"), color("--single"))];
    const total = this.columnNames.length;
    let at = 0;
    for (const row of this.rows) {
      for (const column of this.columns) {
        const value = this.values[row * total + column];
        const [red, green, blue] = (value < 0 ? down : up)[Math.min(255, Math.round((255 * Math.abs(value)) / this.largest))];
        image.data[at++] = red;
        image.data[at++] = green;
        image.data[at++] = blue;
        image.data[at++] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  draw() {
    if (!this.width) return;
    this.picture ??= this.paint();
    const context = sized(this.canvas, this.width, this.height);
    const { row, column, rows, columns } = this.sight;
    const [left, wide] = [this.names, this.width - this.names];
    const tall = this.height - 18;
    context.clearRect(0, 0, this.width, this.height);
    context.imageSmoothingEnabled = columns > wide || rows > tall;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, column, row, columns, rows, left, 0, wide, tall);
    context.fillStyle = color("--muted");
    const size = tall / rows;
    context.font = `${Math.min(12, Math.max(9, size))}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const every = Math.ceil(READABLE / size);
    for (let at = Math.ceil(row / every) * every; at < row + rows; at += every) {
      if (at < this.rows.length) context.fillText(this.fitted(context, this.rowNames[this.rows[at]]), left - 6, (at - row + 0.5) * size);
    }
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.font = "10px system-ui, sans-serif";
    const step = Math.ceil(34 / (wide / columns));
    for (let at = Math.ceil(column / step) * step; at < column + columns; at += step) {
      const middle = left + (at - column + 0.5) * (wide / columns);
      if (at < this.columns.length && middle < this.width - 12) context.fillText(String(this.columnNames[this.columns[at]]), middle, this.height);
    }
    if (this.cell) {
      context.strokeStyle = color("--text");
      context.lineWidth = 1.5;
      context.strokeRect(left + (this.cell.column - column) * (wide / columns), (this.cell.row - row) * size, Math.max(3, wide / columns), Math.max(3, size));
    }
  }

  fitted(context, text) {
    if (context.measureText(text).width < this.names - 8) return text;
    let length = text.length;
    while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > this.names - 8) length--;
    return `${text.slice(0, length)}…`;
  }

  // The cell under a place on the screen; null outside. Left of the matrix it is a row's name.
  at(x, y) {
    const { row, column, rows, columns } = this.sight;
    const found = {
      row: Math.floor(row + (y / (this.height - 18)) * rows),
      column: Math.floor(column + ((x - this.names) / (this.width - this.names)) * columns),
    };
    const inside = found.row >= 0 && found.row < this.rows.length && found.column < this.columns.length && y <= this.height - 18;
    if (!inside) return null;
    return x < this.names ? { row: found.row, name: true } : found;
  }

  zoom(factor, x = this.names + (this.width - this.names) / 2, y = this.height / 2) {
    const across = Math.max(0, (x - this.names) / (this.width - this.names));
    const down = Math.min(1, y / (this.height - 18));
    const { sight } = this;
    const columns = Math.min(this.columns.length, Math.max(Math.min(this.columns.length, CLOSEST), sight.columns / factor));
    const rows = Math.min(this.rows.length, Math.max(Math.min(this.rows.length, CLOSEST / 2), sight.rows / factor));
    this.move(sight.row + (sight.rows - rows) * down, sight.column + (sight.columns - columns) * across, rows, columns);
  }

  move(row, column, rows = this.sight.rows, columns = this.sight.columns) {
    const within = (value, most) => Math.min(Math.max(0, value), Math.max(0, most));
    this.sight = { rows, columns, row: within(row, this.rows.length - rows), column: within(column, this.columns.length - columns) };
    this.draw();
  }

  select(cell) {
    this.cell = cell?.name ? null : cell;
    this.onHover(cell && { row: this.rows[cell.row], column: cell.name ? null : this.columns[cell.column] });
    this.draw();
  }

  listen() {
    listenToPointers(this.canvas, {
      hover: (place) => this.select(place && this.at(...place)),
      drag: (now, before) => {
        const { row, column, rows, columns } = this.sight;
        this.move(row - ((now[1] - before[1]) / (this.height - 18)) * rows, column - ((now[0] - before[0]) / (this.width - this.names)) * columns);
      },
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      click: (place) => this.open(this.at(...place)),
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  open(cell) {
    if (cell) this.onOpen({ row: this.rows[cell.row], column: cell.name ? null : this.columns[cell.column] });
  }

  key(event) {
    const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "Enter") this.open(this.cell);
    else if (event.key in steps) {
      const [down, across] = steps[event.key];
      const from = this.cell ?? { row: Math.floor(this.sight.row), column: Math.floor(this.sight.column) };
      const cell = {
        row: Math.min(this.rows.length - 1, Math.max(0, from.row + down)),
        column: Math.min(this.columns.length - 1, Math.max(0, from.column + across)),
      };
      const follow = (at, first, many) => (at < first ? at : at >= first + many ? at - many + 1 : first);
      this.move(follow(cell.row, this.sight.row, this.sight.rows), follow(cell.column, this.sight.column, this.sight.columns));
      this.select(cell);
    } else return;
    event.preventDefault();
  }
}
