const seen = {};
for (const fold of document.querySelectorAll("details")) fold.open = true;
for (const image of document.images) image.loading = "eager";
// Loads hold virtual time, which decoding does not.
const settled = [...document.images].map((image) => image.complete || new Promise((done) => { image.onload = image.onerror = done; }));
const soon = new Promise((done) => setTimeout(done, 300));
Promise.all([...settled, soon]).then(() => {
  seen.images = document.images.length;
  seen.broken = [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src);
  seen.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  seen.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const search = document.getElementById("find");
  if (search) {
    const ask = (words) => {
      search.value = words;
      search.dispatchEvent(new Event("input"));
      return [...document.querySelectorAll(".concept-card:not([hidden]) h2")].map((title) => title.firstChild.textContent.trim());
    };
    seen.found = ask("LIGHT traffic");
    seen.tally = document.getElementById("tally").textContent;
    seen.markup = ask("<b>boat");
  }
  seen.faults = faults;
  document.title = "done";
  document.body.append(Object.assign(document.createElement("pre"), { id: "seen", textContent: JSON.stringify(seen) }));
});
