// Mouse, pen, fingers and wheel on a canvas: pointing, dragging, zooming and clicking.

const WHEEL = 1.2;
const CLICK = 5;

// Places are [x, y] in pixels of the canvas. `press(place, event)` is called when a button or finger goes
// down, `hover(place)` while none is, with null outside, `drag(now, before)` while one is,
// `zoom(factor, x, y)` by the wheel or two fingers, `release(travelled)` at the end, and
// `click(place, event)` where it hardly moved.
export function listenToPointers(canvas, { press, hover, drag, zoom, release, click }) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const fingers = new Map();
  let travelled = 0;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1 / WHEEL : WHEEL, ...place(event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, place(event));
    travelled = 0;
    press?.(place(event), event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = fingers.get(event.pointerId);
    if (!before) return hover(now);
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    const [, other] = [...fingers].find(([id]) => id !== event.pointerId) ?? [];
    fingers.set(event.pointerId, now);
    if (!other) return drag(now, before);
    const spread = (from) => Math.hypot(from[0] - other[0], from[1] - other[1]) || 1;
    zoom(spread(now) / spread(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  });
  const up = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    release?.(travelled);
    if (travelled < CLICK && event.type === "pointerup") click(place(event), event);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) hover(null); });
}
