// Figures in SVG: lines with intervals, points, histograms; and bars in HTML.

import { color, h, onWidth, replace, s } from "./dom.js";
import { plain, score } from "./format.js";

const DASHES = ["", "6 3", "2 2.5", "7 2 2 2"];
const EDGE = { top: 10, right: 14, bottom: 40, left: 42 };

export const seriesColor = (place) => color(`--series-${place % 6}`);

// Round numbers from low to high, about `wanted` of them.
function ticks(low, high, wanted = 5) {
  const raw = (high - low || 1) / wanted;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * unit).find((each) => each >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  return found;
}

function legend(series) {
  if (series.length < 2) return null;
  return h(
    "div",
    { class: "legend" },
    series.map((each) =>
      h("span", null, s("svg", { width: 26, height: 10, "aria-hidden": "true" }, s("line", { x1: 1, x2: 25, y1: 5, y2: 5, stroke: each.color, "stroke-width": 2.5, "stroke-dasharray": each.dash })), each.name),
    ),
  );
}

// Series are { name, color, dash, points: [{ x, y, low, high, about }] }. With `names`, x counts them;
// with `log`, it is drawn by its logarithm. The axis of y goes to `reach` at least.
export function lines({ series, names, log = false, label, xLabel = "", yLabel, reach = 1e-6, height = 260 }) {
  series.forEach((each, place) => { each.dash ??= DASHES[place % DASHES.length]; });
  const holder = h("div", { class: "chart" });
  const figure = h("figure", null, holder, legend(series));
  const points = series.flatMap((each) => each.points).filter((point) => point.y !== null);
  if (!points.length) return h("p", { class: "muted" }, "Nothing to show here.");
  const seen = (pick) => points.map(pick).filter((value) => value !== null && value !== undefined);
  const low = Math.min(0, ...seen((point) => point.low ?? point.y));
  const high = Math.max(...seen((point) => point.high ?? point.y), reach) * 1.04;
  const across = log ? Math.log : (value) => value;
  const xs = names ? [0, Math.max(1, names.length - 1)] : [Math.min(...seen((point) => across(point.x))), Math.max(...seen((point) => across(point.x)))];
  onWidth(holder, (width) => {
    const inner = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const single = xs[0] === xs[1] || (names && names.length === 1);
    // Room for half of the names at both ends.
    const margin = names ? Math.min(70, Math.max(18, 3.4 * Math.max(names[0].length, names.at(-1).length) - 12)) : 6;
    const x = (value) => EDGE.left + (single ? inner.width / 2 : margin + ((across(value) - xs[0]) / (xs[1] - xs[0])) * (inner.width - 2 * margin));
    const y = (value) => EDGE.top + (1 - (value - low) / (high - low)) * inner.height;
    const marks = names ? names.map((_, place) => place) : [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
    const grid = ticks(low, high).map((at) => [
      s("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(at), y2: y(at), class: "grid" }),
      s("text", { x: EDGE.left - 6, y: y(at) + 4, "text-anchor": "end" }, plainTick(at)),
    ]);
    let last = -Infinity;
    const labels = marks.map((at) => {
      const text = names ? shortened(names[at], Math.max(6, Math.floor(inner.width / marks.length / 7))) : String(at);
      if (x(at) - last < text.length * 3.6 + 14) return null;
      last = x(at) + text.length * 3.2;
      return s("text", { x: x(at), y: height - EDGE.bottom + 16, "text-anchor": "middle" }, names ? s("title", null, names[at]) : null, text);
    });
    const drawn = series.map((each, place) => oneLine(each, x, y, (place - (series.length - 1) / 2) * 4));
    replace(
      holder,
      s("svg", { width, height, role: "img", "aria-label": label },
        grid, labels, drawn,
        s("text", { x: EDGE.left + inner.width / 2, y: height - 5, "text-anchor": "middle", class: "axis" }, xLabel),
        s("text", { x: 11, y: EDGE.top + inner.height / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${EDGE.top + inner.height / 2})`, class: "axis" }, yLabel)),
    );
  });
  return figure;
}

function oneLine(each, x, y, shift) {
  const known = each.points.filter((point) => point.y !== null).sort((a, b) => a.x - b.x);
  const at = (point) => `${(x(point.x) + shift).toFixed(1)},${y(point.y).toFixed(1)}`;
  return s("g", { style: { color: each.color } },
    known.filter((point) => point.low !== null && point.low !== undefined).map((point) =>
      s("line", { x1: x(point.x) + shift, x2: x(point.x) + shift, y1: y(point.low), y2: y(point.high), class: "interval" })),
    s("polyline", { points: known.map(at).join(" "), class: "line", "stroke-dasharray": each.dash }),
    known.map((point) =>
      s("circle", { cx: x(point.x) + shift, cy: y(point.y), r: 4, class: "dot" }, s("title", null, `${each.name}: ${point.about ?? score(point.y)}`))));
}

const plainTick = (value) => Number(value.toPrecision(6)).toString().replace(/^(-?)0\./, "$1.");
const shortened = (text, length) => (text.length <= length ? text : `…${text.slice(1 - length)}`);

// Two scores of every concept: points are { x, y, name, color, href }. Above the line, y is higher.
export function scatter({ points, xLabel, yLabel, label, height = 340 }) {
  const holder = h("div", { class: "chart" });
  const known = points.filter((point) => point.x !== null && point.y !== null);
  const range = (pick) => [Math.min(0, ...known.map(pick)), Math.max(0.01, ...known.map(pick)) * 1.06];
  const [across, up] = [range((point) => point.x), range((point) => point.y)];
  // Where both scores are equal, as far as both axes reach.
  const equal = [Math.max(across[0], up[0]), Math.min(across[1], up[1])];
  onWidth(holder, (width) => {
    const size = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const x = (value) => EDGE.left + ((value - across[0]) / (across[1] - across[0])) * size.width;
    const y = (value) => EDGE.top + (1 - (value - up[0]) / (up[1] - up[0])) * size.height;
    replace(holder, s("svg", { width, height, role: "group", "aria-label": label },
      ticks(...up).map((at) => [
        s("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(at), y2: y(at), class: "grid" }),
        s("text", { x: EDGE.left - 6, y: y(at) + 4, "text-anchor": "end" }, plainTick(at))]),
      ticks(...across).map((at) => s("text", { x: x(at), y: height - EDGE.bottom + 16, "text-anchor": "middle" }, plainTick(at))),
      s("line", { x1: x(equal[0]), y1: y(equal[0]), x2: x(equal[1]), y2: y(equal[1]), class: "diagonal" }),
      known.map((point) => s("a", { href: point.href, "aria-label": point.name },
        s("circle", { cx: x(point.x), cy: y(point.y), r: 5, fill: point.color, class: "point" },
          s("title", null, `${point.name}: ${score(point.y)} against ${score(point.x)}`)))),
      s("text", { x: EDGE.left + size.width / 2, y: height - 5, "text-anchor": "middle", class: "axis" }, xLabel),
      s("text", { x: 11, y: EDGE.top + size.height / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${EDGE.top + size.height / 2})`, class: "axis" }, yLabel)));
  });
  return h("figure", null, holder);
}

export function histogram({ edge, count, mark, label, height = 180 }) {
  const holder = h("div", { class: "chart" });
  const most = Math.log1p(Math.max(...count));
  onWidth(holder, (width) => {
    const size = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const x = (value) => EDGE.left + ((value - edge[0]) / (edge.at(-1) - edge[0] || 1)) * size.width;
    replace(holder, s("svg", { width, height, role: "img", "aria-label": label },
      count.map((many, place) => {
        const tall = (Math.log1p(many) / most) * size.height;
        return s("rect", { x: x(edge[place]), width: Math.max(1, x(edge[place + 1]) - x(edge[place]) - 1), y: EDGE.top + size.height - tall, height: tall, class: edge[place] >= mark ? "on" : "off" },
          s("title", null, `${many} places from ${plain(edge[place])} to ${plain(edge[place + 1])}`));
      }),
      ticks(edge[0], edge.at(-1)).map((at) => s("text", { x: x(at), y: height - EDGE.bottom + 16, "text-anchor": "middle" }, plainTick(at))),
      mark >= edge[0] && mark <= edge.at(-1) ? s("line", { x1: x(mark), x2: x(mark), y1: EDGE.top, y2: EDGE.top + size.height, class: "mark" }) : null,
      s("text", { x: EDGE.left + size.width / 2, y: height - 5, "text-anchor": "middle", class: "axis" }, "activation (heights by logarithm)")));
  });
  return h("figure", null, holder);
}

// Rows are { name, value, text, href, about }; bars are as long as |value| is of the largest.
export function bars(rows, { tone = "combined", largest } = {}) {
  const most = largest ?? Math.max(1e-12, ...rows.map((row) => Math.abs(row.value ?? 0)));
  return h("ol", { class: "bars" }, rows.map((row) =>
    h("li", { class: row.active ? "active" : undefined },
      row.href ? h("a", { href: row.href, title: row.about }, row.name) : h("span", { title: row.about }, row.name),
      h("span", { class: `bar ${row.value < 0 ? "negative" : tone}`, "aria-hidden": "true" }, h("i", { style: { width: `${(100 * Math.abs(row.value ?? 0)) / most}%` } })),
      h("span", { class: "numeric" }, row.text))));
}

export function sparkline(values) {
  const known = values.map((value, place) => [place, value]).filter(([, value]) => value !== null);
  if (known.length < 2) return "";
  const high = Math.max(...known.map(([, value]) => value), 1e-9);
  const at = ([place, value]) => `${(2 + (place / (values.length - 1)) * 60).toFixed(1)},${(18 - (Math.max(0, value) / high) * 16).toFixed(1)}`;
  return s("svg", { width: 64, height: 20, role: "img", "aria-label": `by layer: ${values.map(score).join(", ")}`, class: "spark" },
    s("polyline", { points: known.map(at).join(" ") }));
}
