// Lesson 2, the picture: the list of layers, an editor for one of them, and its windows over the photograph.

const LIMITS = { kernel: [1, 15], stride: [1, 8], padding: [0, 15], dilation: [1, 8] };

function buildField(figure) {
  let { side, items } = NETS["VGG-D"], chosen = 13, unit = [7, 7], rows = [];
  const body = element("tbody"), drawing = element("div"), editor = element("fieldset", { class: "controls" });
  const said = element("p", { "aria-live": "polite" }), trouble = element("p", { class: "bad", role: "status" });
  const sliders = ["row", "column"].map((name, axis) => {
    const input = element("input", { type: "range", min: 0, oninput: () => { unit[axis] = Number(input.value); drawWindow(); } });
    return element("label", {}, element("span", {}, `unit’s ${name}`), input);
  });

  // After each change: calculate, then draw all. What was chosen stays chosen where it still exists.
  function update(path = rows[chosen]?.path) {
    rows = receptiveRows(side, items);
    const found = rows.findIndex((row) => String(row.path) === String(path));
    chosen = found < 0 ? Math.min(chosen, rows.length - 1) : found;
    trouble.textContent = rows.find((row) => row.reason)?.reason ?? (rows.length ? "" : "No layers: a unit is a pixel.");
    keepFocus(figure, () => {
      drawTable();
      drawEditor();
    });
    choose(chosen);
  }

  function drawTable() {
    const cells = (row) => [...[row.size, row.jump === 0 ? "–" : row.jump, row.start, row.units].map((n) => (n === undefined ? "?" : signed(n))),
      ...Object.keys(LIMITS).map((key) => row.layer?.[key] ?? "–")];
    body.replaceChildren(...rows.map((row, n) => element("tr", {},
      element("td", {}, button(row.name, () => { choose(n); drawEditor(); })),
      ...cells(row).map((cell) => element("td", {}, String(cell))))));
  }

  function choose(n) {
    chosen = n;
    [...body.rows].forEach((line, m) => {
      line.className = m === n ? "chosen" : "";
      line.querySelector("button").setAttribute("aria-pressed", m === n);
    });
    const units = rows[n]?.units ?? 1, line = body.rows[n];
    if (line) list.scrollTop = line.offsetTop - list.clientHeight / 2;
    unit = unit.map((at) => Math.min(at, units - 1));
    sliders.forEach(({ control }, axis) => Object.assign(control, { max: units - 1, value: unit[axis], disabled: units < 2 }));
    drawWindow();
  }

  function drawEditor() {
    const row = rows[chosen];
    const fresh = () => layer(`conv ${freeNumber()}`, "conv", 3, 1, 1);
    const insert = (item) => () => {
      const path = row?.path ?? [0], inside = path.length === 2 && path[1] !== "shortcut" && !item.block;
      const at = inside ? path : [path[0]];
      const next = items.length ? (inside ? [path[0], path[1] + 1] : [path[0] + 1]) : [0];
      items = editing.insert(items, at, item);
      update(next);
    };
    const move = (by) => () => {
      const moved = editing.move(items, row.path, by);
      items = moved.items;
      update(moved.path);
    };
    const fields = row?.layer ? Object.entries(LIMITS).map(([key, [min, max]]) =>
      numberField(key, row.layer[key], min, max, (value) => {
        items = editing.set(items, row.path, { [key]: value });
        rows = receptiveRows(side, items);
        trouble.textContent = rows.find((one) => one.reason)?.reason ?? "";
        drawTable();
        choose(chosen);  // the editor stays as it is: somebody is typing in it
      })) : [];
    const kind = row?.layer ? [choice("kind", [["conv", "convolution"], ["pool", "pooling"]], row.layer.kind, (value) => {
      items = editing.set(items, row.path, { kind: value });
      update(row.path);
    })] : [];
    editor.replaceChildren(element("legend", {}, row ? `change “${row.name}”` : "add a layer"),
      element("div", { class: "row", style: "margin: 0" }, ...kind, ...fields,
        ...(row ? [button("Up", move(-1)), button("Down", move(1)),
          button(row.layer ? "Remove" : "Remove block", () => { items = editing.remove(items, row.path); update(null); })] : []),
        button("Add layer below", insert(fresh())),
        button("Add residual block", insert(residualBlock(String(freeNumber()), 1)))));
  }

  // The smallest number that no name contains yet, from the number of rows on.
  function freeNumber() {
    let number = rows.length + 1;
    while (rows.some((row) => row.name.includes(String(number)))) number += 1;
    return number;
  }

  function drawWindow() {
    const row = rows[chosen];
    if (!row || row.reason) {
      drawing.replaceChildren();
      said.textContent = "";
      return;
    }
    const [y, x] = unit.map((at) => pixelsOf(row, at, side));
    const last = pixelsOf(row, row.units - 1, side).last;
    const low = Math.min(0, row.start) - 4, extent = Math.max(side - 1, last) + 5 - low;
    const hole = `M${low} ${low}h${extent}v${extent}h${-extent}zM${x.first} ${y.first}v${row.size}h${row.size}v${-row.size}z`;
    const middle = (n) => row.start + n * row.jump + row.size / 2;
    const dots = row.units > 32 ? [] : Array.from({ length: row.units ** 2 }, (_, n) => element("circle", {
      cx: middle(n % row.units), cy: middle(Math.floor(n / row.units)), r: extent / 220, fill: "#ffffff", stroke: "#000000", "stroke-width": extent / 900 }));
    said.textContent = sentence(row, y, x);
    drawing.replaceChildren(element("svg", {
      viewBox: `${low} ${low} ${extent} ${extent}`, width: 380, role: "img", style: "touch-action: pan-y; cursor: crosshair",
      "aria-label": said.textContent, onpointermove: point, onpointerdown: point,
    },
      element("rect", { x: low, y: low, width: extent, height: extent, fill: "var(--faint)" }),
      element("image", { href: DATA.photograph, x: 0, y: 0, width: side, height: side, preserveAspectRatio: "none" }),
      element("path", { d: hole, fill: "#000000", "fill-opacity": 0.5, "fill-rule": "evenodd" }),
      ...dots,
      element("rect", { x: 0, y: 0, width: side, height: side, fill: "none", stroke: "var(--line)", "vector-effect": "non-scaling-stroke" }),
      element("rect", { x: x.first, y: y.first, width: row.size, height: row.size, fill: "none", stroke: "#000000", "stroke-width": 5, "vector-effect": "non-scaling-stroke" }),
      element("rect", { class: "window", x: x.first, y: y.first, width: row.size, height: row.size, fill: "none", stroke: "#e69f00", "stroke-width": 3, "vector-effect": "non-scaling-stroke" })));
  }

  function sentence(row, y, x) {
    const padding = row.size ** 2 - y.inside * x.inside;
    const seen = y.inside && x.inside ? `rows ${y.from} to ${y.to} and columns ${x.from} to ${x.to} of the picture` : "nothing of the picture";
    return `Unit (${unit.join(", ")}) of ${row.units}×${row.units} behind “${row.name}” has a window of ${row.size}×${row.size} `
      + `and sees ${seen}; ${Math.round(1000 * padding / row.size ** 2) / 10} % of the window lies in the padding.`;
  }

  function point(event) {
    const svg = drawing.firstChild, box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal, row = rows[chosen];
    const pixel = (at, from, length) => view.x + (at - from) / length * view.width - 0.5;
    unit = [unitAt(row, pixel(event.clientY, box.top, box.height)), unitAt(row, pixel(event.clientX, box.left, box.width))];
    sliders.forEach(({ control }, axis) => { control.value = unit[axis]; });
    drawWindow();
  }

  const sideField = numberField("input side, pixels", side, 8, 512, (value) => { side = value; update(); });
  const heads = ["layer", "window", "jump", "start", "units", ...Object.keys(LIMITS).map((key) => element("abbr", { title: key }, key[0]))];
  const list = element("div", { class: "scroll tall", style: "position: relative", tabindex: 0, role: "region", "aria-label": "layers and what their units see" },
    element("table", { class: "list" }, element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))), body));
  figure.append(
    element("div", { class: "row controls" },
      choice("net", Object.keys(NETS).map((name) => [name, name]), "VGG-D", (name) => {
        ({ side, items } = NETS[name]);
        sideField.control.value = side;
        rows = [];
        chosen = Infinity;  // the last layer
        update(null);
        unit = unit.map(() => Math.floor((rows.at(-1).units ?? 1) / 2));
        choose(rows.length - 1);
      }), sideField),
    element("div", { class: "row top" },
      element("div", { style: "flex: 1 1 300px; min-width: 0" }, drawing,
        element("div", { class: "row controls", style: "margin-top: 8px" }, sliders), said),
      element("div", { style: "flex: 1 1 390px; min-width: 0" }, list,
        element("p", { class: "note", style: "margin-top: 6px" }, "k kernel, s stride, p padding, d dilation; window, jump and start in pixels"))),
    trouble, editor);
  update([13]);
  requestAnimationFrame(() => choose(chosen));  // once it has a size, the list can be scrolled to the layer
}

register("field-explorer", { unitsAfter, throughLayer, unionOf, receptiveRows, pixelsOf, unitAt, editing, layer, residualBlock, NETS }, buildField);
