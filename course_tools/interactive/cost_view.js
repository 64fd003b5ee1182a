// Lesson 4, the picture: the blocks to change, the head's share as three bars, and a table of all layers.

// 553430000 as 553.4 million, 138 as 138: three or four digits that can be compared at a glance.
function roughly(number) {
  const [by, word] = number >= 1e9 ? [1e9, " billion"] : number >= 1e6 ? [1e6, " million"] : [1, ""];
  return by === 1 ? grouped(number) : `${(number / by).toFixed(1)}${word}`;
}

function memory(bytes) {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

// A share that is small and not zero says so.
function percent(part, whole) {
  const share = 100 * part / whole;
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${share.toFixed(1)} %`;
}

function buildCost(figure) {
  const net = { blocks: VGGS.D, side: 224, channels: 3, classes: 1000, hidden: 4096, batchNorm: false };
  let everyRow = false;
  const blockList = element("tbody"), bars = element("div"), body = element("tbody");
  const trouble = element("p", { class: "bad", role: "status" }), said = element("p", { "aria-live": "polite" });

  function drawBlocks() {
    const change = (n, key) => (value) => {
      net.blocks = net.blocks.with(n, { ...net.blocks[n], [key]: Number(value) });
      drawResult();
    };
    blockList.replaceChildren(...net.blocks.map((block, n) => {
      const convs = numberField("", block.convs, 1, 12, change(n, "convs"));
      const width = numberField("", block.width, 1, 4096, change(n, "width"));
      const last = choice("", [["1", "1×1"], ["3", "3×3"], ["5", "5×5"]], String(block.last), change(n, "last"));
      for (const [field, name] of [[convs, "convolutions"], [width, "width"], [last, "last kernel"]]) {
        field.control.setAttribute("aria-label", `block ${n + 1}: ${name}`);
      }
      const remove = button("×", () => { net.blocks = net.blocks.toSpliced(n, 1); draw(); }, { "aria-label": `remove block ${n + 1}` });
      return element("tr", {}, element("td", {}, String(n + 1)), ...[convs, width, last, remove].map((cell) => element("td", {}, cell)));
    }));
  }

  function drawResult() {
    const wrong = problem(net);
    trouble.textContent = wrong ?? "";
    const rows = wrong ? [] : netRows(net), sums = totals(rows);
    drawBars(sums);
    const shown = rows.filter((row) => everyRow || bytesOf(row) > 0);
    const cells = (row) => [row.shape.join("×"), grouped(row.params), grouped(row.macs), bytesOf(row) ? memory(bytesOf(row)) : "in place"];
    body.replaceChildren(...shown.map((row) => element("tr", {},
      element("td", {}, `${row.part === "head" ? "head" : `block ${row.part + 1}`}, ${row.kind}`),
      ...cells(row).map((cell) => element("td", {}, cell)))),
    ...(wrong ? [] : [element("tr", { class: "total" }, ...["total", "", grouped(sums.params.all), grouped(sums.macs.all), memory(sums.bytes.all)]
      .map((cell) => element("td", {}, cell)))]));
  }

  function drawBars(sums) {
    const { params, macs, bytes } = sums;
    if (!params.all) { bars.replaceChildren(); said.textContent = ""; return; }
    const lines = [["parameters", params, roughly], ["multiply-adds", macs, roughly], ["outputs' memory", bytes, memory]];
    bars.replaceChildren(...lines.map(([name, sum, write]) => element("div", { style: "margin-bottom: 8px" },
      element("div", { class: "row middle", style: "margin: 0; justify-content: space-between; font-size: 14px" },
        element("span", {}, `${name}: ${write(sum.all)}`), element("strong", {}, `head ${percent(sum.head, sum.all)}`)),
      element("div", { "aria-hidden": "true", class: "bar" },
        element("div", { style: `width: ${100 * (1 - sum.head / sum.all)}%; background: #56b4e9` }),
        element("div", { style: `width: ${100 * sum.head / sum.all}%; background: #e69f00` })))));
    said.textContent = `The head holds ${percent(params.head, params.all)} of ${roughly(params.all)} parameters and does `
      + `${percent(macs.head, macs.all)} of ${roughly(macs.all)} multiply-adds.`;
  }

  function draw() {
    keepFocus(figure, drawBlocks);
    drawResult();
  }

  const set = (key) => (value) => { net[key] = value; drawResult(); };
  const hidden = numberField("hidden width", 4096, 1, 16384, set("hidden"));
  const settings = [numberField("input side, pixels", 224, 8, 512, set("side")), numberField("input channels", 3, 1, 64, set("channels")),
    hidden, numberField("classes", 1000, 1, 22000, set("classes")), checkbox("batch norm", false, set("batchNorm"))];
  const preset = choice("net of the paper", Object.keys(VGGS).map((name) => [name, `VGG-${name}`]), "D", (name) => {
    net.blocks = VGGS[name];
    draw();
  });
  const key = (colour, text) => element("span", { class: "row middle", style: "gap: 6px; margin: 0; font-size: 14px" },
    element("span", { "aria-hidden": "true", style: `width: 16px; height: 16px; background: ${colour}; border: 1px solid var(--line)` }), text);
  const table = (heads, rows, label, tall) => element("div", { class: `scroll ${tall}`, tabindex: 0, role: "region", "aria-label": label },
    element("table", { class: "list" }, element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))), rows));
  figure.append(
    element("div", { class: "row controls" }, preset,
      button("A quarter of the widths", () => { net.blocks = narrower(net.blocks, 4); draw(); }),
      button("A quarter of the hidden width", () => { hidden.control.value = net.hidden = Math.max(1, Math.floor(net.hidden / 4)); drawResult(); })),
    element("div", { class: "row controls" }, settings),
    element("div", { class: "row top" },
      element("div", { style: "flex: 1 1 300px; min-width: 0" }, bars,
        element("div", { class: "row" }, key("#56b4e9", "blocks"), key("#e69f00", "head")), said),
      element("div", { class: "controls", style: "flex: 1 1 330px; min-width: 0" },
        table(["block", "layers", "width", "last kernel", "remove"], blockList, "blocks", ""),
        element("div", { class: "row", style: "margin-top: 8px" }, button("Add block", () => {
          net.blocks = [...net.blocks, { convs: 1, width: net.blocks.at(-1)?.width ?? 64, last: 3 }];
          draw();
        })))),
    trouble,
    element("div", { class: "row controls" }, checkbox("list ReLU, dropout and flatten too", false, (checked) => { everyRow = checked; drawResult(); })),
    table(["layer", "output of one picture", "parameters", "multiply-adds", "outputs' memory"], body, "layers and their costs", "tall"));
  draw();
}

register("cost-calculator", { problem, netRows, bytesOf, totals, narrower, VGGS }, buildCost);
