// What is shown is in the address: the page is its last part, the choices are its query.

export const PAGES = { "": "Overview", concepts: "Concepts", filters: "Filters", space: "Space", try: "Try" };
const SHARED = ["run", "layer", "task", "fit", "beside"];
const listeners = [];

export const page = () => location.pathname.split("/").pop();
const query = () => new URLSearchParams(location.search);
export const get = (name, otherwise = "") => query().get(name) ?? otherwise;

function addressOf(target, parameters) {
  const text = parameters.toString();
  return `./${target}${text ? `?${text}` : ""}`;
}

function changed(parameters, changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === "") parameters.delete(key);
    else parameters.set(key, value);
  }
  return parameters;
}

// The address of a page with the choices that all pages share.
export function link(target, changes = {}) {
  const now = query();
  const parameters = new URLSearchParams();
  for (const key of SHARED) if (now.has(key)) parameters.set(key, now.get(key));
  return addressOf(target, changed(parameters, changes));
}

export function go(target, changes) {
  history.pushState(null, "", link(target, changes));
  notify();
}

// Another choice on the same page, drawn anew.
export function set(changes) {
  history.pushState(null, "", addressOf(page(), changed(query(), changes)));
  notify();
}

// A choice that the page has drawn already.
export function note(changes) {
  history.replaceState(null, "", addressOf(page(), changed(query(), changes)));
}

export const onChange = (listener) => listeners.push(listener);
const notify = () => listeners.forEach((listener) => listener());

addEventListener("popstate", notify);
document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const target = new URL(anchor.href);
  const folder = location.pathname.replace(/[^/]*$/, "");
  if (target.origin !== location.origin || !target.pathname.startsWith(folder) || target.hash) return;
  event.preventDefault();
  history.pushState(null, "", target);
  notify();
});

// The run, layer, task and fit that the address chooses, completed by what the runs have.
export function selection(runs, chosen = { run: get("run"), layer: get("layer"), task: get("task"), fit: get("fit") }) {
  const number = Math.min(Math.max(0, Number.parseInt(chosen.run || "0", 10) || 0), runs.length - 1);
  const run = runs[number];
  const tasks = [...new Set(run.layers.flatMap((layer) => layer.tasks))];
  const task = tasks.includes(chosen.task) ? chosen.task : tasks[0];
  const layers = run.layers.filter((layer) => layer.tasks.includes(task)).map((layer) => layer.name);
  const layer = layers.includes(chosen.layer) ? chosen.layer : layers.at(-1);
  const fits = run.fits.map((fit) => fit.name);
  const fit = fits.includes(chosen.fit) ? chosen.fit : run.best_fit;
  return { run: number, layer, task, fit };
}

// What stands beside the selection: another run, layer or fit of the same task, or null.
export function beside(runs, at) {
  const [run, layer, fit] = get("beside").split("|").map((part) => (part ? decodeURIComponent(part) : part));
  if (layer === undefined || !runs[Number(run)]) return null;
  return { ...selection(runs, { run, layer, fit, task: at.task }), task: at.task };
}

export const besideText = (at) => [at.run, at.layer, at.fit].map((part) => encodeURIComponent(String(part))).join("|");
