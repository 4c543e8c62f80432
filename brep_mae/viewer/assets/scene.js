// A part in 3-D: one surface for each class, thin edges, thick ones around unsure faces.
"use strict";

const VIEWS = {
  oblique: { eye: [1.1, -1.5, 1.0], up: [0, 0, 1] },
  front: { eye: [0, -2, 0], up: [0, 0, 1] },
  right: { eye: [2, 0, 0], up: [0, 0, 1] },
  top: { eye: [0, 0, 2], up: [0, 1, 0] },
  below: { eye: [1.1, -1.5, -1.0], up: [0, 0, 1] },
};
const LIGHT = { ambient: 0.55, diffuse: 0.5, specular: 0.08, roughness: 0.9, fresnel: 0.05, vertexnormalsepsilon: 0,
  facenormalsepsilon: 0 };
// Over the reader's left shoulder: x is to the right, y up, and -z towards the reader.
const LAMP = { x: -4e4, y: 8e4, z: -1e5 };

function camera({ eye, up }) {
  const [point, top] = [eye, up].map(([x, y, z]) => ({ x, y, z }));
  return { eye: point, up: top, center: { x: 0, y: 0, z: 0 }, projection: { type: "orthographic" } };
}

function hoverText(part, solid, face, said) {
  const lines = [`<b>${plain(said.name || "no class")}</b> ${percent(said.share)}${said.unsure ? ", unsure" : ""}`];
  if (said.suggested) lines.push("suggested");
  lines.push(`face ${face}, ${solid.surfaces[face]}`);
  if (part.solids.length > 1) lines.push(`solid ${solid.solid} ${plain(solid.name)}`);
  return lines.join("<br>");
}

// One surface a class; `where` of a trace names solid and face of each of its points.
function surfaces(part, solids, saidOf) {
  const groups = new Map([...page.classes, ""].map((name) => [name, null]));
  for (const solid of solids) {
    const place = new Int32Array(solid.point.length / 3).fill(-1);
    const said = solid.surfaces.map((_, face) => saidOf(solid, face));
    const texts = said.map((each, face) => hoverText(part, solid, face, each));
    const met = new Set();
    solid.face.forEach((face, t) => {
      const name = said[face].name;
      const group = groups.get(name) || { x: [], y: [], z: [], i: [], j: [], k: [], text: [], where: [], faces: 0 };
      groups.set(name, group);
      if (!met.has(face)) group.faces += 1;
      met.add(face);
      ["i", "j", "k"].forEach((corner, c) => {
        const vertex = solid.triangle[3 * t + c];
        if (place[vertex] < 0) {
          place[vertex] = group.x.length;
          ["x", "y", "z"].forEach((axis, a) => group[axis].push(solid.point[3 * vertex + a] + solid.center[a]));
          group.text.push(texts[face]);
          group.where.push({ solid, face });
        }
        group[corner].push(place[vertex]);
      });
    });
  }
  return [...groups].filter(([, group]) => group).map(([name, group]) => ({
    ...group, type: "mesh3d", name: `${plain(name || "no class")} (${group.faces})`, color: colorOf(name), showlegend: true,
    hovertemplate: "%{text}<extra></extra>", lighting: LIGHT, lightposition: LAMP,
    flatshading: false,
  }));
}

// Edges of all faces for which `shown` is true, as one line with gaps.
function edges(solids, shown, look) {
  const [x, y, z] = [[], [], []];
  for (const solid of solids) {
    for (let e = 0; e < solid.sides.length / 2; e += 1) {
      if (!shown(solid, solid.sides[2 * e]) && !shown(solid, solid.sides[2 * e + 1])) continue;
      for (const end of [6 * e, 6 * e + 3]) {
        [x, y, z].forEach((axis, a) => axis.push(solid.outline[end + a] + solid.center[a]));
      }
      [x, y, z].forEach((axis) => axis.push(null));
    }
  }
  return { type: "scatter3d", mode: "lines", x, y, z, hoverinfo: "skip", showlegend: false, ...look };
}

// A point just outside of a face or, if `face` is null, of a solid, on its largest triangle, and the way out from there.
function outside(solid, face) {
  let best = { area: -1 };
  solid.face.forEach((owner, t) => {
    if (face !== null && owner !== face) return;
    const [a, b, c] = [0, 1, 2].map((n) => solid.point.subarray(3 * solid.triangle[3 * t + n]).slice(0, 3));
    const [u, v] = [b, c].map((end) => [0, 1, 2].map((n) => end[n] - a[n]));
    const out = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    const area = Math.hypot(...out);
    if (area > best.area) {
      best = { area, out: out.map((n) => n / area), at: [0, 1, 2].map((n) => (a[n] + b[n] + c[n]) / 3 + solid.center[n]) };
    }
  });
  return best;
}

function marks(doubted, size) {
  const spots = doubted.map(({ solid, face }) => outside(solid, face));
  const [x, y, z] = [0, 1, 2].map((n) => spots.map((spot) => spot.at[n] + 0.02 * size * spot.out[n]));
  return { type: "scatter3d", mode: "markers", x, y, z, name: `unsure (${doubted.length})`, legendgroup: "unsure",
    marker: { symbol: "diamond", size: 7, color: "#000", line: { color: "#fff", width: 2 } }, hoverinfo: "skip" };
}

function sizeOf(solids) {
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  for (const solid of solids) {
    solid.point.forEach((value, n) => {
      low[n % 3] = Math.min(low[n % 3], value + solid.center[n % 3]);
      high[n % 3] = Math.max(high[n % 3], value + solid.center[n % 3]);
    });
  }
  return high.map((value, n) => value - low[n]);
}

// Faces of which the model is unsure, and solids (`face` null) where these are what has a class.
function doubts(solids, saidOf) {
  return solids.flatMap((solid) => (solid.faces ? solid.faces.map((_, face) => face) : [null])
    .map((face) => ({ solid, face, said: saidOf(solid, face) })).filter(({ said }) => said.unsure));
}

function traces(part, solids, saidOf, selected) {
  const drawn = surfaces(part, solids, saidOf);
  const doubted = doubts(solids, saidOf);
  const around = (faces) => (solid, face) =>
    faces.some((each) => each.solid === solid && (each.face === face || each.face === null));
  drawn.push(edges(solids, () => true, { line: { color: "#333", width: 2 } }));
  if (doubted.length) {
    drawn.push(edges(solids, around(doubted), { line: { color: "#000", width: 7 }, legendgroup: "unsure" }));
    drawn.push(marks(doubted, Math.max(...sizeOf(solids))));
  }
  if (selected) drawn.push(edges(solids, around([selected]), { line: { color: "#d4007a", width: 10 } }));
  return drawn;
}

function layout(part) {
  const axis = { visible: false, showspikes: false };
  return {
    uirevision: part.number, margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "#fff", hovermode: "closest",
    hoverlabel: { bgcolor: "#fff", bordercolor: "#333", font: { color: "#1a1a1a", size: 14 }, align: "left" },
    legend: { x: 0.01, y: 0.99, bgcolor: "rgba(255, 255, 255, 0.85)", itemsizing: "constant", font: { size: 13 } },
    scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", dragmode: "orbit", camera: camera(VIEWS.oblique) },
  };
}
