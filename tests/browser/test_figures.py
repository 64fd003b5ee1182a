"""The interactive figures in Chromium: they compute what course_lib and PyTorch compute, and everybody can operate them."""

import random

import pytest
import torch
import torch.nn.functional as F
import torchvision
from axe_playwright_python.sync_playwright import Axe
from torch import nn

import course_lib
from course_lib import VGG_CONFIGS, trace
from course_tools import interactive
from course_tools.recorded import load_runs

MAKERS = {make.__name__: make for make in (
    interactive.convolution_stepper, interactive.pooling_shift, interactive.field_explorer,
    interactive.cost_calculator, interactive.run_explorer)}
HEAD = '<!doctype html><html lang="en"><head><title>Figures</title></head>'
every_figure = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture
def show(open_page):
    """Call it with figures' names: a page that shows them, and whose log must be empty at the test's end."""
    pages = []

    def show(*names, width=1400, scheme="light", before="", **options):
        page = open_page(width=width, scheme=scheme, **options)
        pages.append(page)
        body = "".join(MAKERS[name]().html() for name in names)
        page.set_content(f'{HEAD}<body style="margin: 8px">{before}<main><h1>Figures</h1>{body}</main></body></html>')
        return page

    yield show
    for page in pages:
        assert page.log.problems == []


def ask(page, figure, calls, script):
    """What a figure's own functions, `c` in `script`, answer for each of `calls`."""
    return page.evaluate(f"calls => {{ const c = courseFigures['{figure}']; return calls.map(call => ({script})(call)); }}", calls)


# What they compute

def test_stepper_computes_what_conv2d_computes(show):
    chance, calls = random.Random(4), []
    for _ in range(400):
        side, kernel = chance.randint(1, 9), chance.randint(1, 5)
        calls.append({"picture": [[chance.randint(-9, 9) for _ in range(side)] for _ in range(side)],
                      "weights": [[chance.randint(-9, 9) / 4 for _ in range(kernel)] for _ in range(kernel)],
                      "stride": chance.randint(1, 4), "padding": chance.randint(0, 3), "dilation": chance.randint(1, 3)})
    answers = ask(show("convolution_stepper"), "convolution-stepper", calls, "call => c.convolve(call.picture, call.weights, call)")
    empty = 0
    for call, answer in zip(calls, answers, strict=True):
        picture, weights = (torch.tensor(call[key], dtype=torch.float64)[None, None] for key in ("picture", "weights"))
        try:
            expected = F.conv2d(picture, weights, stride=call["stride"], padding=call["padding"], dilation=call["dilation"])
        except RuntimeError:  # the kernel is larger than the padded picture
            expected, empty = torch.zeros(1, 1, 0, 0), empty + 1
        assert answer == expected[0, 0].tolist()
    assert 10 < empty < 200


def test_stepper_writes_out_the_products_that_make_the_sum(show):
    page = show("convolution_stepper")
    for name, value in {"dilation": "2", "kernel": "counting up", "picture": "a slope"}.items():
        page.get_by_role("combobox", name=name, exact=True).select_option(value)
    cells = page.get_by_role("gridcell")
    slope = torch.arange(7.).repeat(7, 1)
    expected = F.conv2d(slope[None, None], torch.arange(1., 10).reshape(1, 1, 3, 3), padding=1, dilation=2)[0, 0]
    assert [int(text) for text in cells.all_inner_texts()] == expected.int().flatten().tolist()
    cells.nth(7).click()
    written, total = page.locator(".sum").inner_text().removeprefix("Output (1, 2) =").rsplit("=", 1)
    products = [term.split("·") for term in written.split("+")]
    assert sum(int(a) * int(b) for a, b in products) == int(total) == expected[1, 2]


def test_pooling_computes_what_pytorch_computes(show):
    chance = random.Random(5)
    calls = [[chance.randint(-10, 10), chance.randint(-10, 10), window, stride]
             for window in (2, 3, 4) for stride in (1, 2, 4) for _ in range(15)]
    page = show("pooling_shift")
    answers = ask(page, "pooling-shift", calls, "call => c.compareShift(...call)")
    eye = torch.tensor(page.evaluate("courseFigures['pooling-shift'].EYE"), dtype=torch.float64)[None, None]
    kernel = torch.tensor([[1., 0., -1.]] * 3, dtype=torch.float64)[None, None]

    def layers(picture, window, stride):
        edges = F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="circular"), kernel)
        around = F.pad(edges, (0, window - 1, 0, window - 1), mode="circular")[..., :20 + window - stride, :20 + window - stride]
        around = around if window >= stride else edges
        return picture, edges, F.max_pool2d(around, window, stride), F.avg_pool2d(around, window, stride)

    for (dy, dx, window, stride), answer in zip(calls, answers, strict=True):
        before, after = layers(eye, window, stride), layers(eye.roll((dy, dx), (2, 3)), window, stride)
        for n, layer in enumerate(answer):
            assert layer["output"] == after[n][0, 0].tolist()
            assert layer["changes"] == (before[n] != after[n]).sum().item()
            own = stride if n > 1 else 1
            if dy % own == dx % own == 0:
                moved = before[n].roll((dy // own, dx // own), (2, 3))
                assert layer["evenMoved"] == (moved != after[n]).sum().item() == 0
            else:
                moves = [(dy // own + down, dx // own + right) for down in (0, dy % own > 0) for right in (0, dx % own > 0)]
                assert layer["evenMoved"] == min((before[n].roll(move, (2, 3)) != after[n]).sum().item() for move in moves)


def field_of(row):
    return None if row.field is None else [row.receptive_field[0], row.jump[0] if row.jump else 0, row.start[0], row.output_shape[-1]]


def ask_fields(page, calls):
    rows = ask(page, "field-explorer", calls, "call => c.receptiveRows(call.side, call.items)")
    return [[None if row.get("reason") else [row["size"], row["jump"], row["start"], row["units"]] for row in net] for net in rows]


KINDS = ("Conv2d", "MaxPool2d", "add")


def test_field_presets_are_the_real_nets(show):
    with torch.device("meta"):
        nets = {"AlexNet (paper)": course_lib.alexnet("paper"), "ResNet-18": torchvision.models.resnet18(weights=None)}
        nets |= {f"VGG-{name}": course_lib.vgg(name) for name in "ABCDE"}
    page = show("field_explorer")
    presets = page.evaluate("courseFigures['field-explorer'].NETS")
    assert set(presets) == set(nets)
    for name, answer in zip(presets, ask_fields(page, list(presets.values())), strict=True):
        rows = trace(nets[name], (1, 3 if name == "ResNet-18" else 1, presets[name]["side"], presets[name]["side"])).rows
        assert answer == [field_of(row) for row in rows if row.kind in KINDS], name


def random_layer(chance):
    kernel = chance.randint(1, 7)
    kind = chance.choice(("conv", "conv", "pool"))
    padding = chance.randint(0, kernel // 2 if kind == "pool" else 5)
    return {"name": "x", "kind": kind, "kernel": kernel, "stride": chance.choice((1, 1, 2, 3)), "padding": padding,
            "dilation": chance.choice((1, 1, 2, 3))}


def build(layer):
    sizes = [layer[key] for key in ("kernel", "stride", "padding", "dilation")]
    return nn.Conv2d(1, 1, *sizes) if layer["kind"] == "conv" else nn.MaxPool2d(*sizes)


class Block(nn.Module):
    def __init__(self, block, shortcut):
        super().__init__()
        self.block, self.shortcut = nn.Sequential(*map(build, block)), build(shortcut) if shortcut else nn.Identity()

    def forward(self, X):
        return self.block(X) + self.shortcut(X)


def random_block(chance):
    """A block whose branches give maps of one size from an even one, mostly; now and then crooked ones."""
    kernels = [chance.choice((1, 3, 5)) for _ in range(chance.randint(1, 3))]
    block = [{"name": "x", "kind": "conv", "kernel": k, "stride": 1, "padding": k // 2, "dilation": 1} for k in kernels]
    if chance.random() < 0.5:
        return {"name": "add", "block": block, "shortcut": None}
    block[chance.randrange(len(block))]["stride"] = stride = chance.choice((1, 2))
    shortcut = {"name": "x", "kind": "conv", "kernel": 1, "stride": chance.choice((stride, stride, stride, 3 - stride)),
                "padding": 0, "dilation": 1}
    return {"name": "add", "block": block, "shortcut": shortcut}


def test_fields_are_what_trace_says_of_random_nets(show):
    chance, calls = random.Random(6), []
    for _ in range(400):
        items = [random_block(chance) if chance.random() < 0.35 else random_layer(chance) for _ in range(chance.randint(1, 6))]
        calls.append({"side": chance.choice((1, 17, 32, 64, 97, 128)), "items": items})
    answers = ask_fields(show("field_explorer"), calls)
    refused = unknown = whole = 0
    for call, answer in zip(calls, answers, strict=True):
        net = nn.Sequential(*(Block(item["block"], item["shortcut"]) if "block" in item else build(item) for item in call["items"]))
        try:
            rows = trace(net, (1, 1, call["side"], call["side"])).rows
        except ValueError:  # a layer that doesn't fit, or maps that cannot be added
            assert answer[-1] is None
            refused += 1
            continue
        expected = [field_of(row) for row in rows if row.kind in KINDS]
        if any(known is None and row is not None for known, row in zip(answer, expected)):
            # PyTorch repeats a map of 1×1 to add it to a larger one; the figure takes that for a mistake.
            assert any(row.kind == "add" and row.output_shape[-1] > 1 for row in rows)
            continue
        assert answer == expected
        unknown, whole = unknown + (None in expected), whole + (None not in expected)
    assert refused > 20 and whole > 150


def test_branches_with_different_jumps_are_refused_as_trace_refuses_them(show):
    layer = {"name": "x", "kind": "conv", "kernel": 2, "stride": 2, "padding": 8, "dilation": 1}
    call = {"side": 16, "items": [{"name": "add", "block": [layer], "shortcut": None}]}
    assert ask_fields(show("field_explorer"), [call]) == [[[2, 2, -8, 16], None]]
    assert trace(Block([layer], None), (1, 1, 16, 16)).rows[-1].field is None


def test_pixels_of_a_unit_are_those_that_its_gradient_reaches(show):
    page, chance = show("field_explorer"), random.Random(7)
    for _ in range(25):
        layers = [random_layer(chance) | {"kind": "conv", "dilation": 1} for _ in range(3)]
        for layer in layers:
            layer["stride"] = min(layer["stride"], layer["kernel"])  # no pixel is left out, no unit sees padding alone
            layer["padding"] = min(layer["padding"], layer["kernel"] // 2)
        net = nn.Sequential(*map(build, layers))
        for p in net.parameters():
            nn.init.constant_(p, 1.0)
        x = torch.ones(1, 1, 40, 40, requires_grad=True)
        y = net(x)
        units = [0, y.shape[-1] // 2, y.shape[-1] - 1]
        script = "n => c.pixelsOf(c.receptiveRows(40, %s).at(-1), n, 40)" % str(layers).replace("'", '"')
        for unit, pixels in zip(units, ask(page, "field-explorer", units, script), strict=True):
            gradient, = torch.autograd.grad(y[0, 0, unit].sum(), x, retain_graph=True)
            rows = gradient[0, 0].sum(1).nonzero().flatten().tolist()
            assert (rows == []) == (pixels["inside"] == 0)
            if rows:
                assert [pixels["from"], pixels["to"]] == [rows[0], rows[-1]]


def vgg_rows(call):
    arch = [(b["convs"], b["width"], {"last_kernel": b["last"]}) for b in call["blocks"]]
    with torch.device("meta"):
        net = course_lib.vgg(arch, in_channels=call["channels"], num_classes=call["classes"], input_size=call["side"],
                             batch_norm=call["batchNorm"], hidden=call["hidden"])
    return trace(net, (1, call["channels"], call["side"], call["side"]))


def test_costs_are_what_trace_says(show):
    page, chance = show("cost_calculator"), random.Random(8)
    presets = page.evaluate("courseFigures['cost-calculator'].VGGS")
    whole = {"side": 224, "channels": 3, "classes": 1000, "hidden": 4096, "batchNorm": False}
    for name, blocks in presets.items():
        ours = [(block["convs"], block["width"], {} if block["last"] == 3 else {"last_kernel": block["last"]}) for block in blocks]
        assert ours == [(*row, {})[:3] for row in VGG_CONFIGS[name]]
    calls = [{"blocks": blocks, **whole} for blocks in presets.values()]
    calls += [{"blocks": page.evaluate("b => courseFigures['cost-calculator'].narrower(b, 4)", presets["A"]), **whole}]
    for _ in range(200):
        count = chance.randint(1, 6)
        blocks = [{"convs": chance.randint(1, 4), "width": chance.randint(1, 300), "last": chance.choice((1, 3, 5))} for _ in range(count)]
        calls.append({"blocks": blocks, "side": chance.randint(2**count, 300), "channels": chance.randint(1, 5),
                      "classes": chance.randint(1, 50), "hidden": chance.randint(1, 500), "batchNorm": chance.random() < 0.3})
    answers = ask(page, "cost-calculator", calls, "call => { const rows = c.netRows(call); return [rows, c.totals(rows)]; }")
    for call, (rows, totals) in zip(calls, answers, strict=True):
        traced = vgg_rows(call)
        assert [[row["name"], row["kind"], row["shape"], row["params"], row["macs"]] for row in rows] == \
            [[row.name, row.kind, list(row.output_shape[1:]), row.params, row.macs] for row in traced.rows]
        head = [row for row in traced.rows if row.kind == "Linear"]
        assert totals["params"] == {"all": traced.params, "head": sum(row.params for row in head)}
        assert totals["macs"] == {"all": traced.macs, "head": sum(row.macs for row in head)}
        stored = [row for row in traced.rows if row.kind in ("Conv2d", "BatchNorm2d", "MaxPool2d", "Linear")]
        assert totals["bytes"]["all"] == sum(4 * torch.Size(row.output_shape).numel() for row in stored)


def test_cost_refuses_what_vgg_refuses(show):
    block = {"convs": 1, "width": 8, "last": 3}
    calls = [{"blocks": [block] * count, "side": side} for count in range(7) for side in (1, 2, 15, 16, 17, 31, 32, 64)]
    answers = ask(show("cost_calculator"), "cost-calculator", calls, "call => c.problem(call)")
    for call, answer in zip(calls, answers, strict=True):
        try:
            course_lib.vgg([(1, 8)] * len(call["blocks"]), input_size=call["side"], hidden=1)
        except ValueError:
            assert answer
        else:
            assert answer is None


def test_runs_show_what_was_recorded(show):
    page = show("run_explorer")
    for experiment in ("initialisation", "learning_rate"):
        runs = load_runs(experiment)
        page.get_by_label("experiment").select_option(experiment)
        for key in ("valid_accuracy", "train_loss"):
            page.get_by_label("what to show").select_option(key)
            for group in page.get_by_role("group", name="arms").get_by_role("button").all():
                if group.inner_text() == "None":
                    continue
                group.click()
                for row in page.locator("tbody tr").all():
                    arm, *shown = [cell.strip() for cell in row.locator("td").all_inner_texts()]
                    final = runs.final(arm, key)
                    known = [value for value in final if value is not None]  # a loss that left all bounds is recorded as None
                    whole = len(known) == len(final)
                    ends = (min(known, default=None), runs.mean(arm, key) if whole else None, max(known) if whole else None)
                    assert shown[:3] == [written(value) for value in ends]
                    assert shown[3].split() == [written(value) for value in final]
                    means = page.evaluate("([e, a, k]) => { const c = courseFigures['run-explorer'];"
                                          "return c.meanCurve(c.DATA[e].arms[a][k]); }", [experiment, arm, key])
                    for mean, values in zip(means, zip(*runs.of(arm, key)), strict=True):
                        assert mean is None if None in values else mean == pytest.approx(sum(values) / len(values), rel=1e-12)


def written(value):
    return "diverged" if value is None else f"{value:.3f}"


def test_run_that_diverged_is_left_out_of_the_lines(show):
    assert ask(show("run_explorer"), "run-explorer", [0], "() => [c.mean([1, null]), c.finals([[1, 2], [1, null]]).mean,"
               "c.finals([[1, 2], [1, null]]).highest, c.pathOf([1, null, 2, 3], x => x, y => y)]") == [
        [None, None, None, "M0.0 1.0M2.0 2.0L3.0 3.0"]]


# How they are operated

def windows(page):
    return page.locator("svg rect.window")


def test_stepper_by_mouse(show):
    page = show("convolution_stepper")
    page.get_by_role("gridcell").nth(10).click()  # (1, 3) of 7×7
    assert page.locator(".sum").inner_text().startswith("Output (1, 3) =")
    page.get_by_role("button", name="Step").click()
    assert page.locator(".sum").inner_text().startswith("Output (1, 4) =")
    page.get_by_role("button", name="Back").click(click_count=2)
    assert page.locator(".sum").inner_text().startswith("Output (1, 2) =")
    assert page.locator("td.window").count() == 9
    page.get_by_label("weight, row 0, column 1").fill("2.5")
    assert "0·2.5" in page.locator(".sum").inner_text()


def test_stepper_by_keyboard(show):
    page = show("convolution_stepper")
    page.get_by_role("gridcell", selected=True).focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator(".sum").inner_text().startswith("Output (2, 2) =")
    for _ in range(9):
        page.keyboard.press("ArrowUp")  # stays at the rim
    assert page.locator(".sum").inner_text().startswith("Output (0, 2) =")
    assert page.evaluate("document.querySelector('.course-figure').shadowRoot.activeElement.ariaSelected") == "true"


def test_stepper_plays_and_pauses(show):
    page = show("convolution_stepper")
    page.get_by_role("button", name="Play").click()
    page.locator(".sum", has_text="Output (3, 4)").wait_for()
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Play").is_visible()


def test_stepper_says_why_there_is_no_output(show):
    page = show("convolution_stepper")
    for name, value in {"kernel size": "5", "dilation": "3", "padding": "0"}.items():
        page.get_by_role("combobox", name=name, exact=True).select_option(value)
    assert page.get_by_text("the kernel spans 13 cells, the picture with its padding has 7").is_visible()
    page.get_by_role("button", name="Step").click()
    page.get_by_role("combobox", name="padding", exact=True).select_option("3")
    page.get_by_role("button", name="Step").click()
    assert "= " in page.locator(".sum").inner_text()


def test_pooling_by_buttons_keys_and_dragging(show):
    page = show("pooling_shift")
    page.get_by_role("button", name="move right").click()
    assert page.get_by_text("Moved by 0 down and 2 to the right.").is_visible()
    differ = page.locator("tbody tr td:last-child")
    assert differ.all_inner_texts() == ["0 % of 400", "0 % of 100", "0 % of 100"]
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowUp")
    assert page.get_by_text("Moved by 1 up and 2 to the right.").is_visible()
    assert not differ.nth(1).inner_text().startswith("0 %")
    box = page.get_by_role("application").bounding_box()
    cell = box["width"] / 20
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5 + 3.2 * cell, box["y"] + 5 + 1.2 * cell, steps=7)
    page.mouse.up()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    assert page.get_by_text("Moved by 0 down and 5 to the right.").is_visible()
    page.get_by_role("button", name="Back to the start").click()
    assert page.locator("tbody tr td:nth-child(2)").all_inner_texts() == ["0 % of 400", "0 % of 100", "0 % of 100"]


def test_field_by_mouse(show):
    page = show("field_explorer")
    page.get_by_role("button", name="pool 5").click()
    svg = page.locator("svg").bounding_box()
    page.mouse.move(svg["x"] + 2, svg["y"] + 2)
    with torch.device("meta"):
        row = [row for row in trace(course_lib.vgg("D"), (1, 1, 224, 224)).rows if row.kind == "MaxPool2d"][-1]
    assert "Unit (0, 0) of 7×7" in page.locator("svg").get_attribute("aria-label")
    drawn = [float(windows(page).get_attribute(name)) for name in ("y", "x", "height", "width")]
    assert drawn == [*row.start, *row.receptive_field]
    page.mouse.move(svg["x"] + svg["width"] - 2, svg["y"] + svg["height"] / 2)
    assert "Unit (3, 6) of 7×7" in page.locator("svg").get_attribute("aria-label")
    assert float(windows(page).get_attribute("x")) == row.start[1] + 6 * row.jump[1]


def test_field_by_keyboard_builds_a_net_of_ones_own(show):
    page = show("field_explorer")
    page.get_by_role("combobox", name="net").select_option("VGG-A")
    names = page.locator("tbody button")
    while names.count() > 2:  # what is left is conv 1.1 and pool 1
        names.last.focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Remove").focus()
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Add layer below").focus()
    page.keyboard.press("Enter")
    for name, value in {"kernel": "5", "padding": "4", "dilation": "2"}.items():
        page.get_by_role("spinbutton", name=name, exact=True).fill(value)
    page.get_by_role("button", name="Add residual block").press("Enter")
    page.get_by_role("button", name="Up").press("Enter")
    net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), Block([
        {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "dilation": 1}] * 2, None), nn.Conv2d(1, 1, 5, padding=4, dilation=2))
    expected = [field_of(row) for row in trace(net, (1, 1, 224, 224)).rows if row.kind in KINDS]
    shown = [[int(cell.replace("−", "-")) for cell in row.locator("td").all_inner_texts()[1:5]] for row in page.locator("tbody tr").all()]
    assert shown == expected
    slider = page.get_by_label("unit’s row")
    slider.focus()
    before = int(slider.input_value())
    page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == before + 1
    assert f"Unit ({before + 1}, " in page.locator("svg").get_attribute("aria-label")


def test_field_says_what_does_not_fit_and_goes_on(show):
    page = show("field_explorer")
    page.get_by_label("input side, pixels").fill("16")
    assert page.get_by_text("does not fit").is_visible()
    assert page.locator("tbody tr").last.locator("td").nth(1).inner_text() == "?"
    page.get_by_label("input side, pixels").fill("224")
    assert page.locator("tbody tr").last.locator("td").nth(1).inner_text() == "212"
    for _ in range(18):
        page.get_by_role("button", name="Remove").click()
    assert page.get_by_text("No layers: a unit is a pixel.").is_visible()
    page.get_by_role("button", name="Add layer below").click()
    assert page.locator("tbody tr").count() == 1


def test_cost_by_mouse_and_keyboard(show):
    page = show("cost_calculator")
    page.get_by_role("combobox", name="net of the paper").select_option("A")
    page.get_by_role("button", name="A quarter of the widths").click()
    for name, value in {"input channels": "1", "classes": "10"}.items():
        page.get_by_label(name).fill(value)
    total = page.locator("tr.total td")
    quarter = [(n, width // 4) for n, width in VGG_CONFIGS["A"]]
    with torch.device("meta"):
        traced = trace(course_lib.vgg(quarter), (1, 1, 224, 224))
    assert total.all_inner_texts()[2:4] == [f"{traced.params:,}", f"{traced.macs:,}"]
    page.get_by_label("block 5: convolutions").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_role("button", name="remove block 1").press("Enter")
    page.get_by_role("button", name="Add block").press("Enter")
    arch = [*quarter[1:4], (3, 128), (1, 128)]
    with torch.device("meta"):
        traced = trace(course_lib.vgg(arch), (1, 1, 224, 224))
    assert total.all_inner_texts()[2:4] == [f"{traced.params:,}", f"{traced.macs:,}"]
    head = sum(row.params for row in traced.rows if row.kind == "Linear")
    assert page.get_by_text(f"head {100 * head / traced.params:.1f} %").is_visible()
    page.get_by_label("input side, pixels").fill("31")
    assert page.get_by_text("needs at least 32 pixels a side").is_visible()


def test_runs_by_mouse_and_keyboard(show):
    page = show("run_explorer")
    assert page.locator("path.mean").count() == 7 and page.locator("path.seed").count() == 21
    page.get_by_role("checkbox", name="Glorot").click()
    page.get_by_role("checkbox", name="default").press("Space")
    assert page.locator("path.mean").count() == 5 and page.locator("tbody tr").count() == 5
    page.get_by_role("combobox", name="experiment").select_option("learning_rate")
    page.get_by_role("button", name="Batch norm").press("Enter")
    assert page.locator("tbody tr").count() == 7 and page.locator("svg path.mean").count() == 7
    page.get_by_role("button", name="None").click()
    assert page.locator("tbody tr").count() == 0


TAPPED = {"convolution_stepper": "[role=gridcell]", "pooling_shift": "[aria-label='move down']", "field_explorer": "svg",
          "cost_calculator": "[aria-label='remove block 5']", "run_explorer": "input[type=checkbox]"}


@every_figure
def test_answers_to_touch(show, name):
    page = show(name, width=390, has_touch=True, is_mobile=True)
    figure = page.locator(".figure")
    before = figure.inner_text()
    page.locator(TAPPED[name]).first.tap()
    assert figure.inner_text() != before


# Where they stand

@every_figure
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(show, name, scheme):
    page = show(name, scheme=scheme)
    assert page.locator(".figure").get_attribute("data-theme") == scheme
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


LETTERS = """() => { const small = [];
for (const host of document.querySelectorAll('.course-figure')) for (const e of host.shadowRoot.querySelectorAll('*')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.tagName === 'STYLE') continue;
  const svg = e.closest('svg'), scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  if (parseFloat(getComputedStyle(e).fontSize) * scale < 14) small.push(e.outerHTML.slice(0, 80));
} return small; }"""


@every_figure
def test_fits_a_phone(show, name):
    page = show(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(LETTERS) == []


DARK = {"the site": "document.documentElement.dataset.theme = 'dark'", "Colab": "document.documentElement.setAttribute('theme', 'dark')",
        "JupyterLab": "document.body.dataset.jpThemeLight = 'false'", "VS Code": "document.body.className = 'vscode-dark'"}
LIGHT = {"the site": "document.documentElement.dataset.theme = 'light'", "Colab": "document.documentElement.setAttribute('theme', 'light')",
         "JupyterLab": "document.body.dataset.jpThemeLight = 'true'", "VS Code": "document.body.className = 'vscode-light'"}


@pytest.mark.parametrize("where", DARK)
def test_follows_the_theme_of(show, where):
    for scheme, steps in (("light", (DARK, LIGHT)), ("dark", (LIGHT, DARK))):
        page = show("convolution_stepper", scheme=scheme)
        for looks in steps:
            page.evaluate(looks[where])
            page.locator(f".figure[data-theme={'dark' if looks is DARK else 'light'}]").wait_for()


def test_follows_the_systems_theme_when_it_changes(show):
    page = show("cost_calculator")
    page.emulate_media(color_scheme="dark")
    page.locator(".figure[data-theme=dark]").wait_for()


def test_all_figures_and_two_of_a_kind_share_a_page(show):
    before = '<p><label>mine <input type="number"></label> <button>mine</button></p><table><tr><td>mine</td></tr></table>'
    look = "() => ['button', 'table', 'td', 'p', 'input'].map(tag => { const s = getComputedStyle(document.body.querySelector(tag));" \
           "return [s.font, s.color, s.padding, s.border, s.backgroundColor, s.borderCollapse]; })"
    alone = show(before=before).evaluate(look)
    page = show(*MAKERS, "convolution_stepper", before=before)
    assert page.evaluate(look) == alone
    assert page.locator(".figure").count() == 6 and page.locator(".course-figure img").count() == 0
    first, second = page.locator('[data-figure="convolution-stepper"]').all()
    first.get_by_role("button", name="Step").click()
    assert first.locator(".sum").inner_text().startswith("Output (3, 4)")
    assert second.locator(".sum").inner_text().startswith("Output (3, 3)")
    assert page.evaluate("Object.keys(globalThis).filter(name => /convolve|element|register|TITLE|DATA/.test(name))") == []


@pytest.mark.parametrize("attached", ["before", "after"])
def test_starts_when_a_notebook_evaluates_its_script(show, attached):
    """JupyterLab sets an output's HTML and then puts a fresh script element in each one's place."""
    page = show()
    page.evaluate("""([html, attached]) => {
      const output = document.createElement('div'), main = document.querySelector('main');
      if (attached === 'before') main.append(output);
      output.innerHTML = html;
      for (const old of output.querySelectorAll('script')) {
        const fresh = document.createElement('script');
        fresh.textContent = old.textContent;
        if (attached === 'before') { old.replaceWith(fresh); continue; }
        old.remove();
        document.head.append(fresh);  // runs while the output is not yet on the page
      }
      if (attached === 'after') main.append(output);
    }""", [interactive.field_explorer().html(), attached])
    page.get_by_role("button", name="pool 5").wait_for()
    assert page.locator(".figure").count() == 1


@every_figure
def test_keys_stay_with_the_figure(show, name):
    """JupyterLab's shortcuts (arrows choose cells, digits make headings) spare what carries this attribute."""
    assert show(name).locator(".course-figure").get_attribute("data-lm-suppress-shortcuts") == "true"


@every_figure
def test_still_picture_where_scripts_do_not_run(show, name):
    page = show(name, width=390, java_script_enabled=False)
    picture = page.get_by_role("img")
    assert len(picture.get_attribute("alt").split()) > 20 and picture.bounding_box()["width"] <= 390
    assert page.get_by_text("A still picture").is_visible()


def test_still_picture_stays_where_a_script_fails(open_page):
    page = open_page()
    page.add_init_script("Element.prototype.attachShadow = () => { throw new Error('no shadow roots here'); }")
    page.goto("about:blank")
    page.set_content(f"{HEAD}<body>{interactive.pooling_shift().html()}</body></html>")
    assert page.get_by_role("img").is_visible() and page.log.problems
