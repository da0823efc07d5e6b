// A table of any number of rows: only those in sight are in the page.

import { h, replace } from "./dom.js";

const ROW = 40;
const SPARE = 6;
// Many times as fast as `localeCompare`, which makes one for every pair.
const COLLATOR = new Intl.Collator();

// Columns are { key, title, value(row), cell(row), numeric, wide }; `wide` ones are left out on a phone.
export class VirtualTable {
  constructor({ label, columns, sort, descending, onSort, open }) {
    this.columns = columns;
    this.sort = sort;
    this.descending = descending;
    this.onSort = onSort;
    this.open = open;
    this.rows = [];
    this.active = 0;
    this.head = h("div", { role: "row", class: "table-head", "aria-rowindex": "1" });
    this.body = h("div", { class: "table-body", role: "rowgroup" });
    this.box = h("div", { class: "table-box", role: "grid", "aria-label": label, tabindex: "0" }, h("div", { role: "rowgroup", class: "table-top" }, this.head), this.body);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => requestAnimationFrame(() => this.draw(true))).observe(this.box);
    this.drawHead();
  }

  show(rows) {
    this.all = rows;
    this.order();
  }

  order() {
    const { value } = this.columns.find((column) => column.key === this.sort) ?? this.columns[0];
    const sign = this.descending ? -1 : 1;
    const missing = (one) => one === null || one === undefined || Number.isNaN(one);
    const { compare } = COLLATOR;
    this.rows = [...this.all].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      return sign * (typeof a === "string" ? compare(a, b) : a - b);
    });
    this.active = 0;
    this.box.scrollTop = 0;
    this.box.setAttribute("aria-rowcount", this.rows.length + 1);
    this.body.style.height = `${this.rows.length * ROW}px`;
    this.draw(true);
  }

  drawHead() {
    replace(
      this.head,
      this.columns.map((column) => {
        const mine = column.key === this.sort;
        const sorted = mine ? (this.descending ? "descending" : "ascending") : undefined;
        const turn = () => {
          this.descending = mine ? !this.descending : column.numeric ?? false;
          this.sort = column.key;
          this.drawHead();
          this.order();
          this.onSort(this.sort, this.descending);
        };
        const button = h("button", { type: "button", onclick: turn, title: column.about }, column.title, h("span", { "aria-hidden": "true" }, mine ? (this.descending ? " ↓" : " ↑") : ""));
        return h("span", { role: "columnheader", class: this.kind(column), "aria-sort": sorted }, button);
      }),
    );
  }

  kind(column) {
    return ["cell", column.key, column.numeric ? "numeric" : "", column.wide ? "wide" : ""].join(" ");
  }

  draw(again = false) {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.rows.length, first + Math.ceil((this.box.clientHeight || 600) / ROW) + 2 * SPARE);
    if (!again && first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const made = [];
    for (let place = first; place < last; place++) made.push(this.row(place));
    replace(this.body, made);
    this.mark();
  }

  row(place) {
    const row = this.rows[place];
    return h(
      "div",
      { role: "row", class: "table-row", id: `row-${place}`, "aria-rowindex": place + 2, style: { top: `${place * ROW}px` } },
      this.columns.map((column) => h("span", { role: "gridcell", class: this.kind(column) }, column.cell(row))),
    );
  }

  mark() {
    for (const row of this.body.children) row.classList.toggle("active", row.id === `row-${this.active}`);
    this.box.setAttribute("aria-activedescendant", `row-${this.active}`);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" && event.target === this.box && this.rows[this.active]) return this.open(this.rows[this.active]);
    if (!(event.key in steps) || event.target.closest("input, select")) return;
    event.preventDefault();
    this.active = Math.min(this.rows.length - 1, Math.max(0, this.active + steps[event.key]));
    const top = this.active * ROW;
    const room = this.box.clientHeight - ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + room) this.box.scrollTop = top + ROW - room;
    this.draw(true);
  }
}
