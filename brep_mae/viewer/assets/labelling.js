// Classes that a person gives to faces, solids or files, and the table that they are saved in.
"use strict";

const UNITS = { face: "faces", solid: "solids", file: "files" };
const given = { face: new Map(), solid: new Map(), file: new Map() };
const past = [];
let unit = page.unit;
let chosen = null;
let unsaved = false;

function key(file, solid, face) {
  return JSON.stringify([file, unit === "file" ? null : solid, unit === "face" ? face : null]);
}

// What a face shows: the class that a person gave it, or the model's suggestion.
function labelled(part, solid, face) {
  const own = given[unit].get(key(part.file, solid.solid, face));
  if (own !== undefined) return { name: own, share: null, unsure: false };
  const said = (unit === "face") === Boolean(solid.faces) ? modelSays(solid, face) : NOTHING;
  return said.name ? { ...said, suggested: true } : said;
}

function put(changes) {
  past.push({ unit, before: changes.map(([at]) => [at, given[unit].get(at)]) });
  write(unit, changes);
}

function write(which, changes) {
  for (const [at, name] of changes) {
    if (name === undefined) given[which].delete(at);
    else given[which].set(at, name);
  }
  unsaved = true;
  refresh();
}

// A click gives the chosen class; a second one takes it away.
function label({ solid, face }) {
  const at = key(part.file, solid.solid, face);
  if (chosen !== null) put([[at, given[unit].get(at) === chosen ? undefined : chosen]]);
}

// Plotly tells of a click while the button is down, and again if something is drawn meanwhile; it is the button's
// release that counts, where it is no end of a turn.
let pointed = null;
let pressedAt = [0, 0];

function followMouse() {
  pointed = null;
  for (const kind of ["plotly_hover", "plotly_click", "plotly_unhover"]) {
    drawing.removeAllListeners(kind);
    drawing.on(kind, (event) => {
      const [point] = kind === "plotly_unhover" ? [] : event.points;
      pointed = point?.data.where?.[point.pointNumber] ?? null;
    });
  }
}

function released(event) {
  const moved = Math.hypot(event.clientX - pressedAt[0], event.clientY - pressedAt[1]);
  if (pointed && moved < 4 && event.button === 0) label(pointed);
}

function undo() {
  const last = past.pop();
  if (last) write(last.unit, last.before);
}

// Takes over what the model suggests for the solids that are shown, where nobody gave a class.
function accept() {
  const changes = new Map();
  for (const solid of shownSolids()) {
    solid.surfaces.forEach((_, face) => {
      const said = labelled(part, solid, face);
      if (said.suggested) changes.set(key(part.file, solid.solid, face), said.name);
    });
  }
  if (changes.size) put([...changes]);
}

function refresh() {
  document.querySelectorAll("#classes button").forEach((button, n) => {
    const name = page.choices[n];
    button.setAttribute("aria-pressed", name === chosen);
    button.querySelector(".count").textContent = [...given[unit].values()].filter((own) => own === name).length;
  });
  const count = given[unit].size;
  const save = document.getElementById("save");
  save.textContent = `Save labels.csv (${count} ${count === 1 ? unit : UNITS[unit]})`;
  save.disabled = !count;
  document.getElementById("undo").disabled = !past.length;
  document.getElementById("how").textContent =
    `Choose a class (or press its number), then click ${UNITS[unit]}. A second click takes it away.`;
  if (part) draw();
}

function field(value) {
  const text = String(value);
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table() {
  const lines = [unit === "file" ? ["file", "class"] : ["file", "solid", "face", "class"]];
  for (const [at, name] of given[unit]) {
    const [file, solid, face] = JSON.parse(at);
    lines.push(unit === "file" ? [file, name] : [file, solid, face ?? "", name]);
  }
  return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
}

function save() {
  const link = element("a", "", { download: "labels.csv" });
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.click();
  URL.revokeObjectURL(link.href);
  unsaved = false;
}

function startLabelling() {
  document.getElementById("labelling").hidden = false;
  document.getElementById("doubts").hidden = !page.suggested;
  document.getElementById("accept").hidden = !page.suggested;
  document.getElementById("root").textContent = page.root;
  document.getElementById("classes").append(...page.choices.map((name, n) => {
    const item = element("li");
    const button = element("button");
    const swatch = element("i");
    swatch.style.background = colorOf(name);
    button.append(swatch, element("span", n < 9 ? `${n + 1}  ${name}` : name), element("span", 0, { class: "count" }));
    button.onclick = () => { chosen = name; refresh(); };
    item.append(button);
    return item;
  }));
  document.getElementById("units").append(...Object.entries(UNITS).map(([value, text]) => {
    const choice = element("label");
    const radio = element("input", undefined, { type: "radio", name: "unit", value });
    radio.checked = value === unit;
    radio.onchange = () => { unit = value; refresh(); };
    choice.append(radio, text, " ");
    return choice;
  }));
  drawing.addEventListener("pointerdown", (event) => { pressedAt = [event.clientX, event.clientY]; }, true);
  drawing.addEventListener("pointerup", released, true);
  document.getElementById("undo").onclick = undo;
  document.getElementById("accept").onclick = accept;
  document.getElementById("save").onclick = save;
  document.onkeydown = (event) => {
    const name = page.choices[Number(event.key) - 1];
    if (name !== undefined && event.target.tagName !== "INPUT") { chosen = name; refresh(); }
  };
  window.onbeforeunload = () => (unsaved ? "labels are not saved" : undefined);
  chosen = page.choices[0] ?? null;
  refresh();
}
