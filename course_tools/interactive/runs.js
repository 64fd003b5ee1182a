// Lesson 5: the recorded runs of two experiments, epoch by epoch. DATA is what data/runs/ holds: for each experiment
// its question, and for each arm a list of runs (one a seed) of one number an epoch.

const MEASURES = { valid_accuracy: "validation accuracy", train_loss: "training loss" };
// Colour and dashes, so that no arm is known by its colour alone. The third of course_lib's colours is black: the text's.
const COLOURS = ["#0072B2", "#E69F00", "currentColor", "#56B4E9", "#D55E00", "#009E73", "#CC79A7"];
// The second seven arms of an experiment have the same, and dots.
const DASHES = ["none", "9 4", "2 3", "9 3 2 3", "14 4", "5 3", "1 4"];

// A run that diverged has null where it had no number: so has the mean.
function mean(values) {
  return values.includes(null) ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanCurve(runs) {
  return runs[0].map((_, epoch) => mean(runs.map((run) => run[epoch])));
}

function finals(runs) {
  const last = runs.map((run) => run.at(-1)), known = last.filter((value) => value !== null);
  const lowest = known.length ? Math.min(...known) : null, highest = last.includes(null) ? null : Math.max(...known);
  return { values: last, lowest, mean: mean(last), highest };
}

// Ticks that a reader can count with: about five, at 1, 2 or 5 times a power of ten.
function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((n) => n * power >= rough);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, n) => ((first + n) * step).toFixed(places));
}

// Pixels of the drawing: one line for each run, and one for the mean, broken where a number is missing.
function pathOf(curve, x, y) {
  let pen = "M";
  return curve.map((value, epoch) => {
    if (value === null) { pen = "M"; return ""; }
    const point = `${pen}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    return point;
  }).join("");
}

function buildRuns(figure) {
  let name = "initialisation", measure = "valid_accuracy", shown;
  const chart = element("div"), question = element("p"), arms = element("fieldset", { class: "controls" });
  const body = element("tbody"), head = element("tr");
  const all = () => Object.keys(DATA[name].arms);
  const look = (arm) => { const n = all().indexOf(arm) % 7; return { stroke: COLOURS[n], "stroke-dasharray": DASHES[n] }; };

  function start() {
    shown = new Set(all().slice(0, 7));  // as many as there are colours
    question.textContent = DATA[name].question;
    const toggle = (arm) => checkbox(arm, shown.has(arm), (checked) => { shown[checked ? "add" : "delete"](arm); draw(); });
    const set = (choose) => () => { shown = new Set(all().filter(choose)); keepFocus(arms, fill); draw(); };
    const groups = name === "learning_rate"
      ? [button("Plain", set((arm) => arm.endsWith("plain"))), button("Batch norm", set((arm) => arm.endsWith("batch norm")))]
      : [button("All", set(() => true))];
    const fill = () => arms.replaceChildren(element("legend", {}, "arms"), element("div", { class: "row", style: "margin: 0" },
      ...all().map((arm) => { const label = toggle(arm); label.append(swatch(arm)); return label; }), ...groups, button("None", set(() => false))));
    fill();
    draw();
  }

  function swatch(arm) {
    return element("svg", { class: "swatch", width: 34, height: 10, "aria-hidden": "true" },
      element("line", { x1: 0, x2: 34, y1: 5, y2: 5, "stroke-width": 3, ...look(arm) }), ...dots(arm, [[17, 5]]));
  }

  function dots(arm, points) {
    return all().indexOf(arm) < 7 ? [] : points.map(([cx, cy]) => element("circle", { cx, cy, r: 5, fill: look(arm).stroke }));
  }

  function draw() {
    const chosen = all().filter((arm) => shown.has(arm)).map((arm) => [arm, DATA[name].arms[arm][measure]]);
    drawChart(chosen);
    const write = (value) => (value === null ? "diverged" : value.toFixed(3));
    head.replaceChildren(...["", "lowest", "mean", "highest", "each run"].map((text) => element("th", { scope: "col" }, text || "arm")));
    body.replaceChildren(...chosen.map(([arm, runs]) => {
      const { values, lowest, mean: middle, highest } = finals(runs);
      return element("tr", {}, element("td", {}, element("span", { class: "row middle", style: "margin: 0; gap: 8px; flex-wrap: nowrap" }, swatch(arm), arm)),
        ...[lowest, middle, highest].map((value) => element("td", {}, write(value))), element("td", {}, values.map(write).join("  ")));
    }));
  }

  function drawChart(chosen) {
    // The axes span every run of the experiment, so that they stay where they are while arms come and go.
    const every = Object.values(DATA[name].arms).flatMap((arm) => arm[measure]).flat().filter((value) => value !== null);
    const epochs = DATA[name].arms[all()[0]][measure][0].length;
    // A loss that exploded would flatten all others: beyond twice that of guessing, lines leave the drawing at its top.
    const [low, high] = [0, measure === "valid_accuracy" ? 1 : Math.min(Math.max(...every), 2 * Math.log(10))];
    const width = Math.max(280, Math.min(640, figure.clientWidth - 26));
    const [left, right, top, bottom] = [44, width - 10, 12, 270];
    const x = (epoch) => left + 30 + (right - left - 60) * (epoch / (epochs - 1));
    const y = (value) => Math.max(-2000, bottom - (bottom - top) * (value - low) / (high - low));
    const grid = ticks(low, high).flatMap((tick) => [
      element("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: "var(--faint)" }),
      element("text", { x: left - 8, y: y(tick) + 5, "text-anchor": "end" }, tick)]);
    const epochLabels = Array.from({ length: epochs }, (_, n) =>
      element("text", { x: x(n), y: bottom + 20, "text-anchor": "middle" }, `${n ? "" : "epoch "}${n + 1}`));
    const chance = measure === "valid_accuracy" ? 0.1 : Math.log(10);
    const guess = chance > high ? [] : [
      element("line", { x1: left, x2: right, y1: y(chance), y2: y(chance), stroke: "var(--line)", "stroke-dasharray": "3 3" }),
      element("text", { x: right, y: y(chance) + 16, "text-anchor": "end" }, measure === "valid_accuracy" ? "chance, 0.1" : "ln 10")];
    const points = (curve) => curve.flatMap((value, epoch) => (value === null ? [] : [[x(epoch), y(value)]]));
    const lines = chosen.flatMap(([arm, runs]) => [
      ...runs.map((run) => element("path", { class: "seed", d: pathOf(run, x, y), fill: "none", "stroke-width": 1, "stroke-opacity": 0.7, stroke: look(arm).stroke })),
      element("path", { class: "mean", d: pathOf(meanCurve(runs), x, y), fill: "none", "stroke-width": 3, ...look(arm) }),
      ...dots(arm, points(meanCurve(runs)))]);
    const label = `${MEASURES[measure]} over ${epochs} epochs, ${chosen.length} arms; thin lines are runs, thick lines their mean. The table has the final values.`;
    chart.replaceChildren(element("p", { class: "caption" }, `${MEASURES[measure]} (thin: single runs; thick: their mean${Math.max(...every) > high ? "; at the top, values leave the drawing" : ""})`),
      element("svg", { viewBox: `0 0 ${width} 300`, width, role: "img", "aria-label": label, style: "color: var(--fg)" },
        ...grid, ...guess, ...lines, ...epochLabels));
  }

  figure.append(
    element("div", { class: "row controls" },
      choice("experiment", [["initialisation", "initial weights"], ["learning_rate", "learning rate"]], name, (value) => { name = value; start(); }),
      choice("what to show", Object.entries(MEASURES), measure, (value) => { measure = value; draw(); })),
    question, arms, chart,
    element("p", { class: "caption" }, "after the last epoch"),
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "final values" },
      element("table", { class: "list" }, element("thead", {}, head), body)));
  start();
  // Letters keep their size on a narrow page: the drawing is made anew for each width.
  let width = figure.clientWidth;
  new ResizeObserver(() => {
    if (figure.clientWidth === width) return;
    width = figure.clientWidth;
    draw();
  }).observe(figure);
}

register("run-explorer", { DATA, mean, meanCurve, finals, ticks, pathOf }, buildRuns);
