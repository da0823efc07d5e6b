// Long tables: searched, sorted and shown a few rows at a time from the data in the page.
"use strict";
(() => {
  const STEP = 50;
  const FORMATS = {
    text: (value) => value,
    count: (value) => value.toLocaleString("en"),
    percent: (value) => (100 * value).toFixed(1) + " %",
    signed: (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3),
    seconds: (value) => value.toFixed(1) + " s",
    number: (value) => value.toFixed(3),
    score: (value) => value.toFixed(2),
  };

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  const carded = new Set(JSON.parse(document.getElementById("carded").textContent));

  // The name of a concept leads to its card; the anchor is that of `card_id` in page.py.
  function named(value) {
    const concept = value.replace(/( [†‡])+$/, "");
    if (!carded.has(concept)) return value;
    const anchor = "c-" + encodeURIComponent(concept).replaceAll("%", ":");
    return element("a", { className: "concept", href: "concepts.html#" + anchor, textContent: value });
  }

  function cell(value, { form, link }, at) {
    // The first cell of a row names it.
    const made = at ? element("td", { className: form }) : element("th", { className: form, scope: "row" });
    if (value === null) {
      made.textContent = form === "text" ? "" : "–";
    } else if (form === "score") {
      const bar = element("span", { className: "bar", textContent: FORMATS.score(value) });
      bar.style.setProperty("--share", Math.min(Math.max(value, 0), 1));
      made.append(bar);
    } else {
      made.append(link ? named(value) : FORMATS[form](value));
    }
    return made;
  }

  function setUp(holder) {
    const { columns, values } = JSON.parse(holder.querySelector("script").textContent);
    const total = values.length ? values[0].length : 0;
    const texts = columns.map((column, at) => (column.form === "text" ? at : -1)).filter((at) => at >= 0);
    const haystack = Array.from({ length: total }, (_, row) =>
      texts.map((at) => values[at][row] ?? "").join("\n").toLowerCase());
    let order = Array.from({ length: total }, (_, row) => row);
    let found = order;
    let shown = STEP;

    const search = element("input", { type: "search", placeholder: "search, for instance dog", ariaLabel: "Search the table" });
    const tally = element("span", { ariaLive: "polite" });
    const head = element("tr", {});
    const body = element("tbody", {});
    const more = element("button", { className: "more", type: "button" });

    function draw() {
      body.replaceChildren(...found.slice(0, shown).map((row) =>
        element("tr", {}, ...columns.map((column, at) => cell(values[at][row], column, at)))));
      tally.textContent = `${found.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
      more.hidden = found.length <= shown;
      more.textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = order.filter((row) => words.every((word) => haystack[row].includes(word)));
      shown = STEP;
      draw();
    }

    function sort(at, heading) {
      // Numbers begin with the largest; a missing value comes last in either direction.
      const numeric = columns[at].form !== "text";
      const before = heading.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !numeric;
      for (const other of head.children) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const column = values[at];
      const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
      order = Array.from({ length: total }, (_, row) => row).sort((a, b) => {
        if (column[a] === null || column[b] === null) return (column[a] === null) - (column[b] === null);
        return (ascending ? 1 : -1) * compare(column[a], column[b]);
      });
      filter();
    }

    columns.forEach((column, at) => {
      const heading = element("th", { scope: "col", className: column.form });
      const button = element("button", { type: "button", textContent: column.label });
      button.addEventListener("click", () => sort(at, heading));
      heading.append(button);
      head.append(heading);
    });
    search.addEventListener("input", filter);
    more.addEventListener("click", () => { shown += STEP; draw(); });
    const table = element("table", {}, element("thead", {}, head), body);
    const box = element("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
    for (const named of [table, box]) named.setAttribute("aria-labelledby", holder.dataset.label);
    holder.append(element("div", { className: "tools" }, search, tally), box, more);
    draw();
  }

  // The page of concepts shows the cards whose names hold what is looked for.
  const find = document.getElementById("find");
  if (find) {
    const cards = [...document.querySelectorAll(".concept-card")];
    const names = cards.map((card) => card.querySelector("h2").textContent.toLowerCase());
    find.addEventListener("input", () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      cards.forEach((card, at) => { card.hidden = !words.every((word) => names[at].includes(word)); });
      document.getElementById("tally").textContent = `${cards.filter((card) => !card.hidden).length} concepts`;
    });
  }

  // A folded table is made when it is first opened, so that a long page opens at once.
  for (const holder of document.querySelectorAll(".long-table")) {
    const fold = holder.closest("details");
    if (!fold || fold.open) setUp(holder);
    else fold.addEventListener("toggle", () => setUp(holder), { once: true });
  }
})();
