// Shows the cards whose names hold what is looked for.
"use strict";
const find = document.getElementById("find");
const cards = [...document.querySelectorAll(".concept-card")];
const names = cards.map((card) => card.querySelector("h2").textContent.toLowerCase());
find.addEventListener("input", () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  cards.forEach((card, at) => { card.hidden = !words.every((word) => names[at].includes(word)); });
  document.getElementById("tally").textContent = `${cards.filter((card) => !card.hidden).length} concepts`;
});
