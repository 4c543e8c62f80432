// A small picture of a part, from the oblique view: triangles that face the eye, the farthest first.
"use strict";

function drawThumbnail(canvas, part, saidOf) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = 76 * scale;
  canvas.height = 60 * scale;
  const unit = (v) => v.map((n) => n / Math.hypot(...v));
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const toEye = unit(VIEWS.oblique.eye);
  const right = unit(cross(VIEWS.oblique.up, toEye));
  const up = cross(toEye, right);
  const shown = [];
  for (const solid of part.solids) {
    solid.face.forEach((face, t) => {
      const corners = [0, 1, 2].map((c) => {
        const vertex = 3 * solid.triangle[3 * t + c];
        return [0, 1, 2].map((n) => solid.point[vertex + n] + solid.center[n]);
      });
      const [u, v] = [1, 2].map((c) => corners[c].map((n, axis) => n - corners[0][axis]));
      const out = unit(cross(u, v));
      if (!(dot(out, toEye) > 0)) return;
      const depth = corners.reduce((sum, corner) => sum + dot(corner, toEye), 0);
      shown.push({ depth, light: 0.65 + 0.35 * dot(out, toEye), name: saidOf(solid, face).name,
        flat: corners.map((corner) => [dot(corner, right), -dot(corner, up)]) });
    });
  }
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const { flat } of shown) {
    for (const corner of flat) {
      corner.forEach((value, n) => { low[n] = Math.min(low[n], value); high[n] = Math.max(high[n], value); });
    }
  }
  const zoom = 0.94 * Math.min(canvas.width / (high[0] - low[0]), canvas.height / (high[1] - low[1]));
  const brush = canvas.getContext("2d");
  brush.lineJoin = "round";
  brush.translate(canvas.width / 2, canvas.height / 2);
  for (const { flat, light, name } of shown.sort((one, other) => one.depth - other.depth)) {
    brush.fillStyle = brush.strokeStyle = colorOf(name).replace(/\d+/g, (value) => Math.round(light * value));
    brush.beginPath();
    flat.forEach((corner) => brush.lineTo(...corner.map((value, n) => zoom * (value - (low[n] + high[n]) / 2))));
    brush.closePath();
    brush.fill();
    brush.stroke(); // closes the gaps between neighbours
  }
}
