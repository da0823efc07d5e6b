// The frame of all pages: navigation, the choice of what is shown, search, keys, themes.

import { ask } from "./api.js";
import { announce, choose, failure, h, replace } from "./dom.js";
import { folded } from "./format.js";
import * as state from "./state.js";
import * as overview from "./pages/overview.js";
import * as concepts from "./pages/concepts.js";
import * as concept from "./pages/concept.js";
import * as filters from "./pages/filters.js";
import * as filter from "./pages/filter.js";
import * as space from "./pages/space.js";
import * as tryPage from "./pages/try.js";

const RENDERERS = { "": overview, concepts, concept, filters, filter, space, try: tryPage };
const PARENT = { concept: "concepts", filter: "filters" };
const main = document.getElementById("main");
let told;
let turn = 0;
let shown;

async function render() {
  const mine = ++turn;
  const { runs } = told;
  const name = state.page();
  const at = state.selection(runs);
  const view = { ...told, at, run: runs[at.run], beside: state.beside(runs, at), current: () => mine === turn };
  drawPages(name);
  drawChoice(view);
  const page = RENDERERS[name];
  document.title = `${page.title(view)} · net2vec explorer`;
  // Left as it is until the new page has something to show.
  const content = h("div", { class: "page" });
  main.setAttribute("aria-busy", "true");
  try {
    await page.render(content, view);
  } catch (error) {
    replace(content, h("h1", null, page.title(view)), failure(error));
  }
  if (mine !== turn) return;
  replace(main, content);
  main.removeAttribute("aria-busy");
  const here = `${name}?${state.get("name")}${state.get("index")}`;
  if (shown !== undefined && shown !== here) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    announce(document.title);
  }
  shown = here;
}

function drawPages(name) {
  replace(
    document.getElementById("pages"),
    Object.entries(state.PAGES).map(([key, title]) =>
      h("a", { href: state.link(key), "aria-current": key === (PARENT[name] ?? name) ? "page" : undefined }, title),
    ),
  );
}

function drawChoice({ runs, at, run, beside, task_titles }) {
  const having = run.layers.filter((layer) => layer.tasks.includes(at.task));
  const tasks = [...new Set(run.layers.flatMap((layer) => layer.tasks))];
  const fields = [];
  if (runs.length > 1) {
    const options = runs.map((each, place) => [String(place), each.label]);
    fields.push(choose("Run", options, String(at.run), (value) => state.set({ run: value, layer: "", fit: "" })));
  }
  fields.push(choose("Layer", having.map((each) => [each.name, each.name]), at.layer, (value) => state.set({ layer: value })));
  if (tasks.length > 1) {
    fields.push(choose("Task", tasks.map((each) => [each, task_titles[each] ?? each]), at.task, (value) => state.set({ task: value })));
  }
  if (run.fits.length > 1) {
    fields.push(choose("Fit", run.fits.map((each) => [each.name, each.title]), at.fit, (value) => state.set({ fit: value })));
  }
  const others = besideOptions(runs, at);
  if (others.length) {
    const value = beside ? state.besideText(beside) : "";
    fields.push(choose("Beside it", [["", "nothing"], ...others], value, (chosen) => state.set({ beside: chosen })));
  }
  replace(document.getElementById("choice"), fields);
}

// Every other run, layer and fit of the same task, the nearest kinds first.
function besideOptions(runs, at) {
  return runs.flatMap((run, number) =>
    run.layers
      .filter((layer) => layer.tasks.includes(at.task))
      .flatMap((layer) => run.fits.map((fit) => ({ run: number, layer: layer.name, fit: fit.name, title: fit.title })))
      .filter((each) => each.run !== at.run || each.layer !== at.layer || each.fit !== at.fit)
      .map((each) => [
        state.besideText(each),
        [runs.length > 1 ? run.label : "", each.layer, run.fits.length > 1 ? each.title : ""].filter(Boolean).join(", "),
      ]),
  );
}

// The field that leads to a concept, or to a filter by its number, from any page.
function drawJump() {
  const list = h("datalist", { id: "names" });
  const field = h("input", {
    type: "search", list: "names", placeholder: "Go to concept or filter  /", "aria-label": "Go to a concept or a filter's number",
    autocomplete: "off",
  });
  const names = async () => (await ask("concepts", state.selection(told.runs))).name;
  field.addEventListener("focus", async () => replace(list, (await names()).slice(0, 2000).map((name) => h("option", { value: name }))));
  const leave = async () => {
    const text = field.value.trim();
    if (!text) return;
    const known = await names();
    const wanted = folded(text);
    const name = known.find((each) => folded(each) === wanted) ?? known.find((each) => folded(each).includes(wanted));
    if (name === undefined && !/^\d+$/.test(text)) return announce(`no concept ${text}`);
    field.value = "";
    field.blur();
    if (name === undefined) state.go("filter", { index: text });
    else state.go("concept", { name });
  };
  field.addEventListener("change", leave);
  replace(document.getElementById("jump"), field, list);
}

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    (document.querySelector("[data-search]") ?? document.querySelector("#jump input")).focus();
  }
});

function themeChoice() {
  const root = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("theme", value); } catch { /* a frame may keep nothing */ } };
  try { root.dataset.theme = localStorage.getItem("theme") ?? ""; } catch { root.dataset.theme = ""; }
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
    render();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render());
}

try {
  told = await ask("runs");
  themeChoice();
  drawJump();
  state.onChange(render);
  await render();
} catch (error) {
  replace(main, failure(error));
}
