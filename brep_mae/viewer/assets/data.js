// What the page holds, and how the arrays in it are read.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);

function numbers(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// One file with its solids. It is read when it is shown, since a page may hold thousands.
function readPart(number) {
  const part = JSON.parse(document.getElementById(`part-${number}`).textContent);
  for (const solid of part.solids) {
    solid.point = numbers(solid.point, Float32Array);
    solid.triangle = numbers(solid.triangle, Int32Array);
    solid.face = numbers(solid.face, Int32Array);
    solid.outline = numbers(solid.outline, Float32Array);
    solid.sides = numbers(solid.sides, Int32Array);
  }
  return { number, ...part };
}

const NOTHING = { name: "", share: null, unsure: false };

// What the model says of a face: its own answer, or its solid's, as for `face` null.
function modelSays(solid, face) {
  const answer = solid.faces ? solid.faces[face] : solid.whole;
  return answer ? { name: page.classes[answer[0]], share: answer[1], unsure: answer[2] } : NOTHING;
}

function colorOf(name) {
  return page.colors[name] || "rgb(214, 214, 214)";
}

// Plotly reads a few tags in texts; names are shown as they are.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function percent(share) {
  return share === null ? "" : `${Math.round(100 * share)} %`;
}

function element(kind, content, attributes = {}) {
  const made = document.createElement(kind);
  if (content !== undefined) made.textContent = content;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
