// What all figures share: making elements, following the page's theme, starting where the page shows a figure.
// TITLE, STYLE and DATA stand in front of this file in every figure's script.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "rect", "path", "image", "circle", "line", "polyline", "text", "g", "title"]);

// element("button", {onclick: step}, "Step"): attributes as HTML writes them, listeners as onEVENT.
function element(tag, attributes = {}, ...children) {
  const made = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat());
  return made;
}

function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

// A labelled choice; `options` are [value, text] pairs. A label's own `control` is what it labels.
function choice(label, options, value, changed) {
  const entries = options.map(([key, text]) => element("option", { value: key, selected: key === value }, text));
  const control = element("select", { onchange: () => changed(control.value) }, entries);
  return element("label", {}, label, control);
}

function numbers(from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => [String(from + i), String(from + i)]);
}

// A labelled whole number. What is not one yet, as while typing, is not passed on; leaving the field sets it right.
function numberField(label, value, min, max, changed) {
  const valid = () => control.value !== "" && Number.isInteger(+control.value) && +control.value >= min && +control.value <= max;
  let last = value;
  const control = element("input", {
    type: "number", value, min, max, step: 1, inputmode: "numeric",
    oninput: () => { if (valid()) changed(last = +control.value); },
    onchange: () => {
      if (valid()) return;
      last = control.value === "" ? last : Math.min(max, Math.max(min, Math.round(+control.value)));
      control.value = last;
      changed(last);
    },
  });
  return element("label", {}, label, control);
}

function checkbox(label, checked, changed) {
  const control = element("input", { type: "checkbox", checked, onchange: () => changed(control.checked) });
  return element("label", { class: "inline" }, control, label);
}

// Redraw what holds the focus, and give it back to the control of the same name, or to the one in its place.
function keepFocus(container, redraw) {
  const controls = () => [...container.querySelectorAll("button, input, select")];
  const nameOf = (control) => control.ariaLabel ?? control.closest("label")?.textContent ?? control.textContent;
  const before = controls(), focused = container.getRootNode().activeElement, place = before.indexOf(focused);
  redraw();
  if (place < 0) return;
  const now = controls();
  (now.find((control) => nameOf(control) === nameOf(focused)) ?? now[Math.min(place, now.length - 1)])?.focus();
}

// 1234567 as 1,234,567 on every machine; toLocaleString depends on the reader's.
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

// -3 as −3, with the sign that is as wide as a plus.
function signed(number) {
  return String(number).replace("-", "−");
}

// Whoever shows the page says in a way of their own that it is dark: the site, Colab, JupyterLab, VS Code.
function isDark() {
  const root = document.documentElement, body = document.body;
  if (root.dataset.theme) return root.dataset.theme === "dark";
  if (root.hasAttribute("theme")) return root.getAttribute("theme") === "dark";
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (/\bvscode-/.test(body.className)) return /\bvscode-(dark|high-contrast)(?!-light)\b/.test(body.className);
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function followTheme(figure) {
  const apply = () => { figure.dataset.theme = isDark() ? "dark" : "light"; };
  const observer = new MutationObserver(apply);
  const attributeFilter = ["data-theme", "theme", "data-jp-theme-light", "class"];
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true, attributeFilter });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

// A shadow root keeps the page's rules out of the figure and the figure's out of the page. If building fails,
// the still picture stays.
function startIn(host, build) {
  host.dataset.started = "";
  host.dataset.lmSuppressShortcuts = "true";  // or JupyterLab takes the arrow keys and digits for its own
  const figure = element("div", { class: "figure", role: "group", "aria-label": `Interactive figure: ${TITLE}` });
  build(figure);
  followTheme(figure);
  host.attachShadow({ mode: "open" }).append(element("style", {}, STYLE), figure);
  host.replaceChildren();
}

// Start every copy of the figure that waits on the page. Some front ends run a script before they put the output
// on the page: then look again whenever the page changes, for a while.
function register(name, compute, build) {
  (globalThis.courseFigures ??= {})[name] = compute;
  const startAll = () => {
    const waiting = document.querySelectorAll(`.course-figure[data-figure="${name}"]:not([data-started])`);
    waiting.forEach((host) => startIn(host, build));
    return waiting.length > 0;
  };
  if (startAll()) return;
  const observer = new MutationObserver(() => { if (startAll()) observer.disconnect(); });
  observer.observe(document.documentElement, { childList: true, subtree: true });
  setTimeout(() => observer.disconnect(), 30000);
}
