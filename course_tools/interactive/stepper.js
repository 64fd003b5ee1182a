// Lesson 1: a kernel slides over a small picture, and each sum is written out.

const SIDE = 7;
const PICTURES = {
  "an edge and a floor": (i, j) => Number(j > 3 || i === SIDE - 1),
  "one bright pixel": (i, j) => Number(i === 3 && j === 3),
  "a slope": (i, j) => j,
  "a cross": (i, j) => 9 * Number(i === j || i + j === SIDE - 1),
};
const KERNELS = {
  "left less right": (i, j, k) => Number(j === 0) - Number(j === k - 1),
  "above less below": (i, j, k) => Number(i === 0) - Number(i === k - 1),
  "all ones": () => 1,
  "counting up": (i, j, k) => i * k + j + 1,
  "only the middle": (i, j, k) => Number(i === (k - 1) >> 1 && j === (k - 1) >> 1),
};

function filled(side, rule) {
  return Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) => rule(i, j, side)));
}

function outputSize(n, kernel, stride, padding, dilation) {
  return Math.floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

// The products that make output (i, j): for each weight the cell under it, which may lie in the padding.
function products(picture, weights, { stride, padding, dilation }, i, j) {
  return weights.flatMap((line, a) => line.map((weight, b) => {
    const row = i * stride - padding + a * dilation, column = j * stride - padding + b * dilation;
    const pixel = picture[row]?.[column];
    return { row, column, weight, pixel: pixel ?? 0, inPadding: pixel === undefined, product: weight * (pixel ?? 0) };
  }));
}

function convolve(picture, weights, setting) {
  const { stride, padding, dilation } = setting;
  const [height, width] = [picture.length, picture[0].length].map(
    (n) => Math.max(0, outputSize(n, weights.length, stride, padding, dilation)));
  return Array.from({ length: height }, (_, i) => Array.from({ length: width }, (_, j) =>
    products(picture, weights, setting, i, j).reduce((sum, term) => sum + term.product, 0)));
}

function formula(n, kernel, { stride, padding, dilation }) {
  const size = outputSize(n, kernel, stride, padding, dilation);
  return `⌊(${n} + 2·${padding} − ${dilation}·(${kernel} − 1) − 1)/${stride}⌋ + 1 = ${signed(size)}`;
}

function buildStepper(figure) {
  const setting = { stride: 1, padding: 1, dilation: 1 };
  let picture = filled(SIDE, PICTURES["an edge and a floor"]), weights = filled(3, KERNELS["left less right"]);
  let output, at = [0, 0], timer = null;
  const places = ["picture", "kernel", "output"].map(() => element("div", { class: "scroll" }));
  const sum = element("p", { class: "sum", "aria-live": "polite" }), size = element("p", { class: "note" });
  let pictureCells, outputCells;

  function drawPicture() {
    const { padding } = setting;
    pictureCells = new Map();
    const lines = Array.from({ length: SIDE + 2 * padding }, (_, i) => element("tr", {},
      Array.from({ length: SIDE + 2 * padding }, (_, j) => {
        const pixel = picture[i - padding]?.[j - padding];
        const cell = element("td", { class: pixel === undefined ? "padding" : "" }, String(pixel ?? 0));
        pictureCells.set(`${i - padding},${j - padding}`, cell);
        return cell;
      })));
    const label = `picture of ${SIDE} by ${SIDE} numbers${padding ? ` in a frame of ${padding} zeros` : ""}`;
    places[0].replaceChildren(element("table", { class: "cells", role: "img", "aria-label": label }, lines));
  }

  function drawKernel() {
    const lines = weights.map((line, i) => element("tr", {}, line.map((weight, j) => {
      const input = element("input", {
        type: "number", step: "any", value: weight, "aria-label": `weight, row ${i}, column ${j}`,
        oninput: () => { if (input.value !== "") { weights[i][j] = Number(input.value); drawOutput(); } },
      });
      return element("td", {}, input);
    })));
    places[1].replaceChildren(element("table", { class: "cells" }, lines));
  }

  function drawOutput() {
    output = convolve(picture, weights, setting);
    at = at.map((n) => Math.max(0, Math.min(n, output.length - 1)));
    outputCells = output.map((line, i) => line.map((value, j) => element("td", {
      role: "gridcell", onclick: () => { pause(); go(i, j, true); },
    }, shown(value))));
    const label = `output, ${output.length} by ${output.length}; the arrow keys move the kernel`;
    places[2].replaceChildren(output.length
      ? element("table", { class: "cells", role: "grid", "aria-label": label, onkeydown: key },
        outputCells.map((cells) => element("tr", { role: "row" }, cells)))
      : element("p", { class: "bad" }, `No output: the kernel spans ${setting.dilation * (weights.length - 1) + 1} cells, `
        + `the picture with its padding has ${SIDE + 2 * setting.padding}.`));
    size.textContent = `Output size: ${formula(SIDE, weights.length, setting)}`;
    if (output.length) go(...at); else { mark([]); sum.replaceChildren(); }
  }

  function go(i, j, focus = false) {
    at = [i, j];
    const terms = products(picture, weights, setting, i, j);
    mark(terms);
    outputCells.forEach((cells, a) => cells.forEach((cell, b) => {
      const chosen = a === i && b === j;
      cell.className = chosen ? "chosen" : "";
      cell.tabIndex = chosen ? 0 : -1;
      cell.setAttribute("aria-selected", chosen);
    }));
    if (focus) outputCells[i][j].focus();
    const written = terms.map((term) => element("span", {}, `${signed(term.pixel)}·${bracketed(term.weight)}`));
    sum.replaceChildren(`Output (${i}, ${j}) = `, ...written.flatMap((span, n) => n ? [" + ", span] : [span]),
      element("strong", {}, ` = ${shown(output[i][j])}`));
  }

  function mark(terms) {
    for (const cell of pictureCells.values()) cell.classList.remove("window");
    for (const { row, column } of terms) pictureCells.get(`${row},${column}`).classList.add("window");
  }

  function step(by) {
    if (!output.length) return;
    const n = output.length, next = (at[0] * n + at[1] + by + n * n) % (n * n);
    go(Math.floor(next / n), next % n);
  }

  function key(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    pause();
    const [i, j] = at.map((n, axis) => Math.max(0, Math.min(output.length - 1, n + move[axis])));
    go(i, j, true);
  }

  const play = button("Play", () => (timer ? pause() : start()), { "aria-pressed": "false" });
  function start() {
    sum.setAttribute("aria-live", "off");  // read out once a step, it would never end
    timer = setInterval(() => (figure.isConnected ? step(1) : pause()), 700);
    play.textContent = "Pause";
  }
  function pause() {
    clearInterval(timer);
    timer = null;
    sum.setAttribute("aria-live", "polite");
    play.textContent = "Play";
  }
  play.removeAttribute("aria-pressed");  // its text already says what it does

  const preset = choice("kernel", Object.keys(KERNELS).map((name) => [name, name]), "left less right", newKernel);
  const kernelSize = choice("kernel size", numbers(1, 5), "3", newKernel);
  function newKernel() {
    weights = filled(Number(kernelSize.control.value), KERNELS[preset.control.value]);
    drawKernel();
    drawOutput();
  }
  const change = (name) => (value) => { setting[name] = Number(value); drawPicture(); drawOutput(); };
  figure.append(
    element("div", { class: "row controls" },
      choice("picture", Object.keys(PICTURES).map((name) => [name, name]), "an edge and a floor", (name) => {
        picture = filled(SIDE, PICTURES[name]); drawPicture(); drawOutput();
      }), preset, kernelSize,
      choice("stride", numbers(1, 4), "1", change("stride")),
      choice("padding", numbers(0, 3), "1", change("padding")),
      choice("dilation", numbers(1, 3), "1", change("dilation"))),
    element("div", { class: "row top" }, places.map((place, n) => element("div", { style: "max-width: 100%" },
      element("p", { class: "caption" }, ["picture, framed by its padding", "kernel", "output"][n]), place))),
    element("div", { class: "row controls" }, button("Back", () => { pause(); step(-1); }),
      button("Step", () => { pause(); step(1); }), play),
    sum, size);
  drawPicture();
  drawKernel();
  drawOutput();
  go(...(output.length > 3 ? [3, 3] : [0, 0]));
}

function bracketed(weight) {
  return weight < 0 ? `(${signed(weight)})` : String(weight);
}

// At most three decimals, for weights such as 0.1.
function shown(value) {
  return signed(Number(value.toFixed(3)) + 0);
}

register("convolution-stepper", { outputSize, products, convolve, formula, filled, PICTURES, KERNELS }, buildStepper);
