// Lesson 4, the arithmetic: a VGG's blocks in, every layer's shape and cost out, row by row as `trace` prints them.
// A block is {convs, width, last}: `last` is the kernel of its last convolution, 3 but for net C.

// Blocks that `vgg` would refuse are refused in a sentence; null says that all is well.
function problem({ blocks, side }) {
  if (!blocks.length) return "A net needs at least one block.";
  const least = 2 ** blocks.length;
  return side >= least ? null
    : `Pictures of ${side}×${side} are too small: ${blocks.length} blocks halve them ${blocks.length} times, which needs at least ${least} pixels a side.`;
}

function convolutionRows(name, input, output, kernel, side) {
  const weights = kernel * kernel * input * output;
  return { name, kind: "Conv2d", shape: [output, side, side], params: weights + output, macs: weights * side * side };
}

function linearRow(name, input, output) {
  return { name, kind: "Linear", shape: [output], params: input * output + output, macs: input * output };
}

function free(name, kind, shape, params = 0) {
  return { name, kind, shape, params, macs: 0 };
}

function blockRows(n, { convs, width, last }, channels, side, batchNorm) {
  const rows = [], name = () => `${n}.${rows.length}`;
  for (let i = 0; i < convs; i += 1) {
    const kernel = i === convs - 1 ? last : 3;
    rows.push(convolutionRows(name(), i ? width : channels, width, kernel, side));
    if (batchNorm) rows.push(free(name(), "BatchNorm2d", [width, side, side], 2 * width));
    rows.push(free(name(), "ReLU", [width, side, side]));
  }
  const half = Math.floor(side / 2);
  rows.push(free(name(), "MaxPool2d", [width, half, half]));
  return rows;
}

// All rows of the net; `part` is the number of the block, or "head".
function netRows({ blocks, side, channels, classes, hidden, batchNorm }) {
  const rows = [];
  blocks.forEach((block, n) => {
    rows.push(...blockRows(n, block, channels, side, batchNorm).map((row) => ({ ...row, part: n })));
    side = Math.floor(side / 2);
    channels = block.width;
  });
  const at = (n) => String(blocks.length + n), flat = channels * side * side;
  const hiddenRows = (n, input) => [linearRow(at(n), input, hidden), free(at(n + 1), "ReLU", [hidden]), free(at(n + 2), "Dropout", [hidden])];
  const head = [free(at(0), "Flatten", [flat]), ...hiddenRows(1, flat), ...hiddenRows(4, hidden), linearRow(at(7), hidden, classes)];
  return [...rows, ...head.map((row) => ({ ...row, part: "head" }))];
}

// What a row keeps in memory for one picture: its outputs, four bytes each. ReLU, dropout and flatten are counted
// as done in place.
function bytesOf(row) {
  const inPlace = ["ReLU", "Dropout", "Flatten"].includes(row.kind);
  return inPlace ? 0 : 4 * row.shape.reduce((product, size) => product * size, 1);
}

function totals(rows) {
  const sum = (chosen, key) => chosen.reduce((total, row) => total + key(row), 0);
  const keys = { params: (row) => row.params, macs: (row) => row.macs, bytes: bytesOf };
  return Object.fromEntries(Object.entries(keys).map(([name, key]) =>
    [name, { all: sum(rows, key), head: sum(rows.filter((row) => row.part === "head"), key) }]));
}

const WIDTHS = [64, 128, 256, 512, 512];

function family(convs, last = 3) {
  return convs.map((count, n) => ({ convs: count, width: WIDTHS[n], last: count === 3 ? last : 3 }));
}

const VGGS = {
  A: family([1, 1, 2, 2, 2]), B: family([2, 2, 2, 2, 2]), C: family([2, 2, 3, 3, 3], 1), D: family([2, 2, 3, 3, 3]),
  E: family([2, 2, 4, 4, 4]),
};

function narrower(blocks, factor) {
  return blocks.map((block) => ({ ...block, width: Math.max(1, Math.floor(block.width / factor)) }));
}
