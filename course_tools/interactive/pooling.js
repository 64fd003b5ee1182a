// Lesson 1: a picture moves by a pixel, and what becomes of a convolution and of two poolings.
// The picture closes on itself: what leaves on the right comes in on the left, so that a shift loses nothing.

const EYE = [
  "baabba889988accc88bc", "9bacb9889888acbc78be", "abbcbaa9bb89abcb88be", "cbccbdebbc97bccb79df",
  "bbcddeedcccbbcdb7aef", "bcdeeecb9aaccdda7cff", "8bbc843554347cdb8ced", "cddc6499962235bcbddd",
  "cefe58bba432455bdddc", "bdfe59ba90326727dedd", "acef88ba50137834cedd", "aabec5ba70158932beed",
  "8a8be88ba558a752affd", "9898be88babc84328efe", "a9aa8ada665423227eff", "bb999aaceb8788546dfe",
  "9abaab9abdefdb655bed", "89baaaaaaabcc98658bd", "7878a9baabaaaa97669b", "89aaaa99abbcbba8679b",
].map((line) => Array.from(line, (digit) => parseInt(digit, 16)));
const LESS_RIGHT = [[1, 0, -1], [1, 0, -1], [1, 0, -1]];

const modulo = (a, n) => ((a % n) + n) % n;
const wrapped = (map, i, j) => map[modulo(i, map.length)][modulo(j, map[0].length)];
const mapOver = (map, stride, rule) => Array.from({ length: map.length / stride }, (_, i) =>
  Array.from({ length: map[0].length / stride }, (_, j) => rule(i * stride, j * stride)));

// The same as torch's roll: down by `dy`, to the right by `dx`.
function shifted(map, dy, dx) {
  return mapOver(map, 1, (i, j) => wrapped(map, i - dy, j - dx));
}

function windowAt(map, i, j, size) {
  return Array.from({ length: size * size }, (_, n) => wrapped(map, i + Math.floor(n / size), j + (n % size)));
}

function convolved(map, kernel) {
  const weights = kernel.flat(), reach = (kernel.length - 1) / 2;
  return mapOver(map, 1, (i, j) => windowAt(map, i - reach, j - reach, kernel.length)
    .reduce((sum, pixel, n) => sum + pixel * weights[n], 0));
}

function pooled(map, size, stride, kind) {
  const combine = kind === "max" ? (cells) => Math.max(...cells)
    : (cells) => cells.reduce((sum, cell) => sum + cell, 0) / cells.length;
  return mapOver(map, stride, (i, j) => combine(windowAt(map, i, j, size)));
}

function unequal(a, b) {
  return a.map((line, i) => line.map((value, j) => value !== b[i][j]));
}

function count(flags) {
  return flags.flat().filter(Boolean).length;
}

// Each layer before and after the shift: which outputs changed, and how many differ even from the output that was
// moved along. Where the shift is no multiple of the stride, the best of the neighbouring whole moves counts.
function compareShift(dy, dx, size, stride, picture = EYE) {
  const layers = (map) => {
    const edges = convolved(map, LESS_RIGHT);
    return [map, edges, pooled(edges, size, stride, "max"), pooled(edges, size, stride, "mean")];
  };
  const before = layers(picture), after = layers(shifted(picture, dy, dx));
  return after.map((output, n) => {
    const own = n < 2 ? 1 : stride, moves = (by) => [Math.floor(by / own), Math.ceil(by / own)];
    const changed = unequal(before[n], output);
    const left = moves(dy).flatMap((down) => moves(dx).map((right) =>
      count(unequal(shifted(before[n], down, right), output))));
    return { output, changed, outputs: output.flat().length, changes: count(changed), evenMoved: Math.min(...left) };
  });
}

function buildPooling(figure) {
  const state = { dy: 0, dx: 1, size: 2, stride: 2, marks: true };
  const half = EYE.length / 2;
  const canvases = Array.from({ length: 4 }, () => element("canvas", { width: 400, height: 400, role: "img" }));
  const captions = canvases.map(() => element("p", { class: "caption" }));
  const body = element("tbody"), said = element("p", { "aria-live": "polite" });

  function names() {
    const pool = `${state.size}×${state.size}, stride ${state.stride}`;
    return ["picture", "convolution", `maximum ${pool}`, `mean ${pool}`];
  }

  function draw() {
    const layers = compareShift(state.dy, state.dx, state.size, state.stride);
    layers.forEach((layer, n) => {
      paint(canvases[n], layer.output, n ? [-45, 45] : [0, 15], state.marks && n ? layer.changed : null);
      captions[n].textContent = names()[n];
      canvases[n].setAttribute("aria-label", `${names()[n]}: ${layer.changes} of ${layer.outputs} changed`);
    });
    body.replaceChildren(...layers.slice(1).map((layer, n) => element("tr", {},
      element("td", { style: "white-space: normal" }, names()[n + 1]), ...[layer.changes, layer.evenMoved].map((number) => element("td", {}, share(number, layer.outputs))))));
    said.textContent = `Moved by ${words(state.dy, "down", "up")} and ${words(state.dx, "to the right", "to the left")}.`;
  }

  function share(number, outputs) {
    return `${Math.round(100 * number / outputs)} % of ${outputs}`;
  }

  function words(by, forwards, backwards) {
    return `${Math.abs(by)} ${by < 0 ? backwards : forwards}`;
  }

  function move(dy, dx) {
    const around = (by) => modulo(by + half - 1, 2 * half) - half + 1;
    Object.assign(state, { dy: around(state.dy + dy), dx: around(state.dx + dx) });
    draw();
  }

  function key(event) {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    move(...by);
  }

  // Dragging: as many pixels of the picture as the pointer has passed since the last whole one.
  let from = null;
  const cell = () => pad.getBoundingClientRect().width / EYE.length;
  const pad = element("div", {
    tabindex: 0, role: "application", "aria-label": "picture: drag it, or move it with the arrow keys", onkeydown: key,
    class: "drag",
    onpointerdown: (event) => { from = [event.clientY, event.clientX]; pad.setPointerCapture(event.pointerId); },
    onpointermove: (event) => {
      if (!from) return;
      const by = [event.clientY - from[0], event.clientX - from[1]].map((distance) => Math.trunc(distance / cell()));
      if (!by[0] && !by[1]) return;
      from = from.map((start, axis) => start + by[axis] * cell());
      move(...by);
    },
    onpointerup: () => { from = null; },
    onpointercancel: () => { from = null; },
  }, canvases[0]);

  const change = (name) => (value) => { state[name] = Number(value); draw(); };
  const arrow = (sign, text, dy, dx) => button(sign, () => move(dy, dx), { "aria-label": `move ${text}` });
  figure.append(
    element("div", { class: "row controls" },
      arrow("←", "left", 0, -1), arrow("→", "right", 0, 1), arrow("↑", "up", -1, 0), arrow("↓", "down", 1, 0),
      button("Back to the start", () => move(-state.dy, -state.dx)),
      choice("pooling window", [["2", "2×2"], ["3", "3×3"], ["4", "4×4"]], "2", change("size")),
      choice("stride", [["1", "1"], ["2", "2"], ["4", "4"]], "2", change("stride")),
      checkbox("mark what changed", true, (checked) => { state.marks = checked; draw(); })),
    said,
    element("div", { class: "panels" },
      canvases.map((canvas, n) => element("div", {}, captions[n], n ? canvas : pad))),
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "outputs that changed" },
      element("table", { class: "list" }, element("thead", {}, element("tr", {},
        ...["layer", "changed", "differ if moved along"].map((text) => element("th", { scope: "col" }, text)))), body)),
    element("p", { class: "note", style: "margin: 6px 0 0" }, "Moved along: compared with the unmoved picture’s outputs, moved by as many "
      + "whole outputs as fit the shift best."));
  draw();
}

// A map in grey, and a dot on each cell of `marks`.
function paint(canvas, map, [low, high], marks) {
  const context = canvas.getContext("2d"), side = canvas.width / map.length;
  map.forEach((line, i) => line.forEach((value, j) => {
    const grey = Math.round(255 * (value - low) / (high - low));
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    context.fillRect(j * side, i * side, side, side);
    if (!marks?.[i][j]) return;
    context.fillStyle = "#e69f00";
    context.strokeStyle = "#000000";
    context.beginPath();
    context.arc((j + 0.5) * side, (i + 0.5) * side, 2 + side / 10, 0, 7);
    context.fill();
    context.stroke();
  }));
}

register("pooling-shift", { EYE, LESS_RIGHT, shifted, convolved, pooled, compareShift }, buildPooling);
