// Uses the pages as a reader would, and sends what it saw to the server.
const seen = { faults: [], shown: {}, times: [] };
addEventListener("error", (event) => seen.faults.push(String(event.error?.stack || event.message || event.target.src || event.target.href)), true);
addEventListener("unhandledrejection", (event) => seen.faults.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => seen.faults.push(`policy: ${event.blockedURI} ${event.violatedDirective}`));

const wait = (time) => new Promise((done) => setTimeout(done, time));
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const text = (selector) => one(selector)?.textContent ?? "";

async function until(test, what) {
  for (let tries = 0; tries < 400; tries++) {
    const found = test();
    if (found) return found;
    await wait(25);
  }
  throw new Error(`never: ${what}`);
}

const settled = (heading) => until(() => !one("main[aria-busy]") && text("h1").startsWith(heading), heading);
function type(field, value) {
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
const follow = async (link, heading) => { link.click(); await settled(heading); };
const wide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
const note = (name) => { seen.shown[name] = { wide: wide(), heading: text("h1"), failure: text(".failure") }; };

async function visit() {
  await until(() => one("main .page"), "a first page");
  note("overview");
  seen.numbers = all(".numbers dd").map((each) => each.textContent);
  seen.points = all("svg .point").length;

  await follow(all("#pages a")[1], "Concepts");
  await until(() => one(".table-row"), "rows");
  note("concepts");
  seen.rows = Number(one(".table-box").getAttribute("aria-rowcount")) - 1;
  type(one("[data-search]"), "boat");
  await until(() => all(".table-row").length === 1, "one row");
  seen.found = text(".table-row .name");
  seen.address = location.search;
  one(".table-box").focus();
  one(".table-box").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await settled("<b>boat</b>");
  note("concept");
  await until(() => all(".bars a").length, "weights");
  one(".near button").click();
  await until(() => text("main").includes("part of the cosine"), "reasons");
  history.back();
  await settled("Concepts");
  await until(() => all(".table-row").length === 1, "the search again");

  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
  seen.focused = document.activeElement === one("[data-search]");
  document.activeElement.blur();

  await follow(all("#pages a")[2], "Filters");
  const heat = await until(() => one(".heatmap"), "a matrix");
  note("filters");
  heat.focus();
  heat.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  seen.cell = text(".readout");
  heat.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await settled("Filter ");
  note("filter");

  await follow(all("#pages a")[3], "Space");
  const map = await until(() => one(".map-box canvas"), "a map");
  await until(() => !text("[role=status].muted").includes("t-SNE"), "places");
  await wait(700);
  note("space");
  const field = one(".combobox input");
  type(field, "do");
  seen.offered = all(".offers li").map((each) => each.textContent);
  type(field, "dog + wood");
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await until(() => all(".combobox .bars li").length, "a sum");
  seen.sum = all(".combobox .bars li > :first-child").map((each) => each.textContent);
  await lasso(map);
  seen.chosen = all(".entry").length;

  await follow(all("#pages a")[0], "");
  const beside = all("#choice select").at(-1);
  beside.value = beside.options[1].value;
  beside.dispatchEvent(new Event("change"));
  await until(() => text("main").includes("Furthest ahead of"), "two side by side");
  note("beside");
  seen.beside = all(".numbers small").length;
  await follow(all("#pages a")[3], "Space");
  await until(() => all(".map-box canvas").length === 2, "two maps");
  await until(() => text("main").includes("nearest are the same"), "what moved");
  note("two spaces");

  await follow(all("#pages a")[4], "Try");
  note("try");
  seen.scripts = all("script").length;
  seen.bold = all("main b b, h1 b, td b").length;
}

// Around everything, and the time that each repaint takes meanwhile.
async function lasso(canvas) {
  const box = canvas.getBoundingClientRect();
  const send = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, { clientX: box.left + x, clientY: box.top + y, pointerId: 1, shiftKey: true, bubbles: true }));
  canvas.setPointerCapture = () => {};
  const corners = [[1, 1], [box.width - 1, 1], [box.width - 1, box.height - 1], [1, box.height - 1]];
  send("pointerdown", ...corners[0]);
  for (const [x, y] of corners) {
    const start = performance.now();
    send("pointermove", x, y);
    seen.times.push(performance.now() - start);
  }
  send("pointerup", ...corners[3]);
  await until(() => one(".entry"), "a choice");
}

async function tryPicture() {
  await until(() => one("#file"), "a field for a picture");
  const canvas = new OffscreenCanvas(40, 30);
  const context = canvas.getContext("2d");
  context.fillStyle = "#c02020";
  context.fillRect(0, 0, 40, 30);
  const files = new DataTransfer();
  files.items.add(new File([await canvas.convertToBlob()], "<img src=x onerror=alert(1)>.png", { type: "image/png" }));
  one("#file").files = files.files;
  one("#file").dispatchEvent(new Event("change"));
  await until(() => one(".found li"), "what is found");
  seen.ranked = all(".found li").map((each) => each.dataset.name);
  one(".found li button").click();
  await until(() => text("main").includes("of the picture") || text("main").includes("no pixel") || text("main").includes("not learned"), "a mask");
  await until(() => one(".large img")?.naturalWidth, "the picture");
  seen.picture = one(".large img").naturalWidth;
}

(location.pathname.endsWith("try") ? tryPicture() : visit()).catch((error) => seen.faults.push(String(error))).then(() => {
  seen.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  return fetch("api/upload", { method: "POST", body: JSON.stringify(seen) });
});
