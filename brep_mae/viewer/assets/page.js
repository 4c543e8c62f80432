// The list of parts, the search in it, and the part that is shown.
"use strict";

const drawing = document.getElementById("drawing");
const rows = [];
let part = null;
let selected = null;
let stale = false; // true until Plotly has drawn what it was given: a mouse would point at what is no longer there

function saidOf(solid, face) {
  return page.labelling ? labelled(part, solid, face) : modelSays(solid, face);
}

function shownSolids() {
  const chosen = document.getElementById("solids").value;
  return part.solids.filter((solid) => chosen === "all" || String(solid.solid) === chosen);
}

function draw() {
  stale = true;
  requestAnimationFrame(() => requestAnimationFrame(() => { stale = false; }));
  Plotly.react(drawing, traces(part, shownSolids(), saidOf, selected), layout(part), { displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["tableRotation", "resetCameraLastSave3d"] });
  const size = sizeOf(shownSolids()).map((length) => Number(length.toPrecision(4))).join(" × ");
  const count = shownSolids().reduce((sum, solid) => sum + solid.surfaces.length, 0);
  document.getElementById("about").textContent = `${count} faces · ${size} mm`;
  listDoubts();
}

function listDoubts() {
  const found = doubts(shownSolids(), saidOf).sort((one, other) => one.said.share - other.said.share);
  document.querySelector("#doubts tbody").replaceChildren(...found.map(({ solid, face, said }) => {
    const row = element("tr", undefined, { tabindex: 0 });
    const where = [...(part.solids.length > 1 ? [`solid ${solid.solid}`] : []), ...(face === null ? [] : [face])].join(": ");
    const surface = face === null ? "" : solid.surfaces[face];
    row.append(...[where, said.name, percent(said.share), surface].map((text) => element("td", text)));
    row.setAttribute("aria-current", Boolean(selected && selected.solid === solid && selected.face === face));
    row.onclick = () => select(solid, face);
    row.onkeydown = (event) => { if (event.key === "Enter") select(solid, face); };
    return row;
  }));
  document.querySelector("#doubts table").hidden = !found.length;
  document.getElementById("none-unsure").hidden = Boolean(found.length);
}

// Outlines a face and turns the part so that it looks at the reader.
function select(solid, face) {
  selected = { solid, face };
  draw();
  const out = outside(solid, face).out;
  const tilted = out.map((value, n) => 1.9 * value + [0.5, -0.6, 0.45][n]);
  Plotly.relayout(drawing, { "scene.camera": camera({ eye: tilted, up: [0, 0, 1] }) });
}

function show(number) {
  part = readPart(number);
  selected = null;
  rows.forEach((row, n) => row.button.setAttribute("aria-current", n === number));
  document.getElementById("name").textContent = part.file;
  document.getElementById("which").hidden = part.solids.length < 2;
  const choices = [["all", `all ${part.solids.length} solids`],
    ...part.solids.map((solid) => [solid.solid, `solid ${solid.solid} ${solid.name}`])];
  document.getElementById("solids").replaceChildren(...choices.map(([value, text]) => element("option", text, { value })));
  draw();
  if (page.labelling) followMouse();
}

function addRow({ file, said, unsure }, number) {
  const button = element("button");
  const canvas = element("canvas");
  const text = element("span");
  text.append(element("span", file, { class: "file" }), element("span", said, { class: "said" }));
  if (unsure) text.append(element("span", `${unsure} unsure`, { class: "unsure" }));
  button.append(canvas, text);
  button.onclick = () => show(number);
  const item = element("li");
  item.append(button);
  rows.push({ item, button, canvas, text: `${file} ${said} ${unsure ? "unsure" : ""}`.toLowerCase(), drawn: false });
  document.getElementById("parts").append(item);
}

function search() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  rows.forEach((row) => { row.item.hidden = !words.every((word) => row.text.includes(word)); });
  const count = rows.filter((row) => !row.item.hidden).length;
  document.getElementById("found").textContent = count === rows.length ? `${count} files` : `${count} of ${rows.length} files`;
}

for (const kind of ["move", "down", "up", "over", "out", "enter", "leave"]) {
  drawing.addEventListener(`mouse${kind}`, (event) => { if (stale) event.stopPropagation(); }, true);
}
page.parts.forEach(addRow);
const nearby = new IntersectionObserver((entries) => {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
    nearby.unobserve(target);
    drawThumbnail(target, readPart(rows.findIndex((row) => row.canvas === target)), modelSays);
  }
});
rows.forEach((row) => nearby.observe(row.canvas));
document.getElementById("search").oninput = search;
document.getElementById("solids").onchange = draw;
for (const [name, view] of Object.entries(VIEWS)) {
  const button = element("button", name);
  button.onclick = () => Plotly.relayout(drawing, { "scene.camera": camera(view) });
  document.getElementById("views").append(button, " ");
}
search();
document.querySelector("aside").hidden = !page.told; // of a part of which nothing is said there is nothing to list
if (page.labelling) startLabelling();
show(0);
