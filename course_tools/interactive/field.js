// Lesson 2, the arithmetic: layers in, the windows of their units out.
// A layer is {name, kind, kernel, stride, padding, dilation}; a residual block is {name, block: [layers], shortcut}
// whose shortcut is a layer or null. `receptiveRows` says of each layer what its units see along one axis:
// unit 0 the pixels `start` to `end`, and the next unit the same `jump` pixels further on.

function unitsAfter(units, { kernel, stride, padding, dilation }) {
  return Math.floor((units + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

// The recurrence of the lesson. A jump of 0 says that there is one window for all units.
function throughLayer({ kernel, stride, padding, dilation }, field) {
  if (field.jump === 0) return field;
  return {
    start: field.start - padding * field.jump,
    end: field.end + (dilation * (kernel - 1) - padding) * field.jump,
    jump: field.jump * stride,
  };
}

// What units see that add two branches; a string says why that has no answer in three numbers.
function unionOf(a, b, units) {
  if (units === 1 && a.jump !== b.jump) [a, b] = [{ ...a, jump: 0 }, { ...b, jump: 0 }];
  if (a.jump === 0 && b.jump !== 0) [a, b] = [b, a];
  if (b.jump === 0 && a.jump !== 0) {
    const last = a.end + (units - 1) * a.jump;
    return a.start >= b.start && last <= b.end ? b : "one window for all units meets windows that reach beyond it";
  }
  if (a.jump !== b.jump) return `the branches' jumps differ: ${a.jump} and ${b.jump}`;
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end), jump: a.jump };
}

// One layer's state {units, field, reason}; a reason, once there, stays to the end.
function after(layer, state) {
  if (state.reason) return state;
  const units = unitsAfter(state.units, layer);
  if (units < 1) {
    const span = layer.dilation * (layer.kernel - 1) + 1;
    return { reason: `${layer.name}: a kernel that spans ${span} does not fit into ${state.units + 2 * layer.padding} units` };
  }
  if (layer.kind === "pool" && 2 * layer.padding > layer.kernel) {
    return { reason: `${layer.name}: PyTorch pads a pooling by half its kernel at most` };
  }
  return { units, field: throughLayer(layer, state.field) };
}

function meet(name, inner, outer) {
  const reason = inner.reason ?? outer.reason;
  if (reason) return { reason };
  if (inner.units !== outer.units) {
    return { reason: `${name}: ${inner.units}×${inner.units} and ${outer.units}×${outer.units} units cannot be added` };
  }
  const field = unionOf(inner.field, outer.field, inner.units);
  return typeof field === "string" ? { reason: `${name}: ${field}` } : { units: inner.units, field };
}

// One row a layer and one for each addition. `path` is its place in `items`: [item], [item, layer of the block],
// [item, "shortcut"].
function receptiveRows(side, items) {
  const rows = [];
  const add = (name, kind, path, layer, state) => {
    const { field } = state;
    rows.push({ name, kind, path, layer, units: state.units, reason: state.reason,
      size: field && field.end - field.start + 1, jump: field?.jump, start: field?.start });
    return state;
  };
  let state = { units: side, field: { start: 0, end: 0, jump: 1 } };
  items.forEach((item, n) => {
    if (!item.block) { state = add(item.name, item.kind, [n], item, after(item, state)); return; }
    let inner = state, outer = state;
    item.block.forEach((layer, m) => { inner = add(layer.name, layer.kind, [n, m], layer, after(layer, inner)); });
    const { shortcut } = item;
    if (shortcut) outer = add(shortcut.name, shortcut.kind, [n, "shortcut"], shortcut, after(shortcut, outer));
    state = add(item.name, "add", [n], null, meet(item.name, inner, outer));
  });
  return rows;
}

// The pixels of one unit along one axis: the window, its part in the picture, and how much lies in the padding.
function pixelsOf(row, unit, side) {
  const first = row.start + unit * row.jump, last = first + row.size - 1;
  const [from, to] = [Math.max(0, first), Math.min(side - 1, last)];
  const inside = Math.max(0, to - from + 1);
  return { first, last, from, to, inside, padding: row.size - inside };
}

// The unit whose window has its middle nearest to a pixel.
function unitAt(row, pixel) {
  const middle = row.start + (row.size - 1) / 2;
  return row.jump ? Math.max(0, Math.min(row.units - 1, Math.round((pixel - middle) / row.jump))) : 0;
}

// Changes to the list; each returns a new one. A path ends where `receptiveRows` said.
function changed(items, path, change) {
  const [n, m] = path, item = items[n];
  if (path.length === 1) return items.toSpliced(n, 1, ...change(item));
  const inside = m === "shortcut" ? { ...item, shortcut: change(item.shortcut)[0] ?? null }
    : { ...item, block: item.block.toSpliced(m, 1, ...change(item.block[m])) };
  return items.toSpliced(n, 1, ...(inside.block.length ? [inside] : []));
}

const editing = {
  set: (items, path, values) => changed(items, path, (layer) => [{ ...layer, ...values }]),
  remove: (items, path) => changed(items, path, () => []),
  insert: (items, path, layer) => (items.length ? changed(items, path, (old) => [old, layer]) : [layer]),
  // Up (-1) or down (1) within its own list.
  move(items, path, by) {
    const [n, m] = path, list = path.length === 1 ? items : items[n].block, at = path.length === 1 ? n : m;
    if (m === "shortcut" || at + by < 0 || at + by >= list.length) return { items, path };
    const moved = list.toSpliced(at, 1).toSpliced(at + by, 0, list[at]);
    return path.length === 1 ? { items: moved, path: [n + by] }
      : { items: items.with(n, { ...items[n], block: moved }), path: [n, m + by] };
  },
};

function layer(name, kind, kernel, stride = 1, padding = 0, dilation = 1) {
  return { name, kind, kernel, stride, padding, dilation };
}

function vggLayers(convolutions, oneByOne = false) {
  return convolutions.flatMap((count, n) => [
    ...Array.from({ length: count }, (_, m) => (oneByOne && count === 3 && m === 2
      ? layer(`conv ${n + 1}.${m + 1}`, "conv", 1) : layer(`conv ${n + 1}.${m + 1}`, "conv", 3, 1, 1))),
    layer(`pool ${n + 1}`, "pool", 2, 2)]);
}

function residualBlock(name, stride) {
  return { name: `add ${name}`,
    block: [layer(`conv ${name}.1`, "conv", 3, stride, 1), layer(`conv ${name}.2`, "conv", 3, 1, 1)],
    shortcut: stride > 1 ? layer(`shortcut ${name}`, "conv", 1, stride) : null };
}

const NETS = {
  "AlexNet (paper)": { side: 227, items: [
    layer("conv 1", "conv", 11, 4), layer("pool 1", "pool", 3, 2), layer("conv 2", "conv", 5, 1, 2), layer("pool 2", "pool", 3, 2),
    layer("conv 3", "conv", 3, 1, 1), layer("conv 4", "conv", 3, 1, 1), layer("conv 5", "conv", 3, 1, 1),
    layer("pool 5", "pool", 3, 2)] },
  "VGG-A": { side: 224, items: vggLayers([1, 1, 2, 2, 2]) },
  "VGG-B": { side: 224, items: vggLayers([2, 2, 2, 2, 2]) },
  "VGG-C": { side: 224, items: vggLayers([2, 2, 3, 3, 3], true) },
  "VGG-D": { side: 224, items: vggLayers([2, 2, 3, 3, 3]) },
  "VGG-E": { side: 224, items: vggLayers([2, 2, 4, 4, 4]) },
  "ResNet-18": { side: 224, items: [
    layer("conv 1", "conv", 7, 2, 3), layer("pool 1", "pool", 3, 2, 1),
    ...[1, 2, 3, 4].flatMap((stage) => [residualBlock(`${stage}a`, stage > 1 ? 2 : 1), residualBlock(`${stage}b`, 1)])] },
};
