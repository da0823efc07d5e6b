// Masks over a picture: fills and outlines on a canvas, from grids of any size.

import { h, sized } from "./dom.js";

const FILL = 0.38;

// The outline of a mask as segments between its pixels, in units of the grid.
export function outline(mask, rows, columns) {
  const path = new Path2D();
  const at = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? -1 : mask[row * columns + column]);
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const here = at(row, column);
      // The border of the picture is no edge.
      if (here >= 0 && at(row - 1, column) >= 0 && here !== at(row - 1, column)) { path.moveTo(column, row); path.lineTo(column + 1, row); }
      if (here >= 0 && at(row, column - 1) >= 0 && here !== at(row, column - 1)) { path.moveTo(column, row); path.lineTo(column, row + 1); }
    }
  }
  return path;
}

function filled(mask, rows, columns, rgb) {
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let at = 0; at < mask.length; at++) {
    if (!mask[at]) continue;
    image.data.set([...rgb, 255 * FILL], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

const channels = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

// A picture with masks drawn over it.
export class Overlay {
  constructor(source, about) {
    this.image = h("img", { src: source, alt: about, loading: "lazy", decoding: "async" });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.box = h("div", { class: "overlay" }, this.image, this.canvas);
    this.layers = [];
    new ResizeObserver(() => requestAnimationFrame(() => this.draw())).observe(this.image);
  }

  // Layers are { mask, rows, columns, color, fill, truth }.
  show(layers) {
    this.layers = layers;
    this.draw();
  }

  draw() {
    const [width, height] = [this.image.clientWidth, this.image.clientHeight];
    if (!width || !height || !this.image.naturalWidth) return;
    const context = sized(this.canvas, width, height);
    for (const { mask, rows, columns, color, fill, truth } of this.layers) {
      if (fill) {
        context.imageSmoothingEnabled = false;
        context.drawImage(filled(mask, rows, columns, channels(color)), 0, 0, width, height);
      }
      const path = new Path2D();
      path.addPath(outline(mask, rows, columns), new DOMMatrix([width / columns, 0, 0, height / rows, 0, 0]));
      context.lineCap = "square";
      // White between dark lines shows on anything.
      for (const [paint, line] of truth ? [["rgba(20,20,20,.8)", 4], ["#fff", 2]] : [["rgba(20,20,20,.35)", 3], [color, 2]]) {
        context.strokeStyle = paint;
        context.lineWidth = line;
        context.stroke(path);
      }
    }
  }
}
