"""`trace` against PyTorch: what a NaN in the image spoils, gradients, torchinfo, PyTorch's own operation counter."""

import random
from fractions import Fraction
from html import escape
from html.parser import HTMLParser

import pytest
import torch
import torch.nn.functional as F
import torchinfo
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib.googlenet import googlenet
from course_lib.resnet import resnet
from course_lib.trace import trace
from course_lib.zfnet import zfnet


class Calls(nn.Module):
    """A net made of layers by name and one function for its forward."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def conv(in_channels=2, out_channels=2, kernel=3, **options):
    return nn.Conv2d(in_channels, out_channels, kernel, **options)


def official(name, **options):
    with torch.device("cpu" if name.startswith("regnet") else "meta"):  # RegNet computes its widths with tensors
        return getattr(torchvision.models, name)(**options)


def last(net, shape):
    return trace(net, shape)[-1]


# Oracle 1: the gradient of every unit of the output. Positive weights and pixels, so that nothing cancels.

def spans_by_gradient(net, shape, axis):
    """For each unit along an axis, the first and last pixel that it sees, or None."""
    torch.manual_seed(0)
    net = net.double().eval()
    for p in net.parameters():
        nn.init.uniform_(p, 0.5, 1.5)
    x = torch.rand(shape, dtype=torch.float64).add_(0.5).requires_grad_()
    y = net(x)
    spans = []
    for i in range(y.shape[2 + axis]) if y.dim() == 4 else [slice(None)]:
        units = y if y.dim() != 4 else y.select(2 + axis, i)
        weights = torch.rand_like(units) + 0.5
        gradient = torch.autograd.grad((units * weights).sum(), x, retain_graph=True)[0]
        reached = gradient.abs().sum(dim=(0, 1, 3 - axis)).gt(1e-12).nonzero().flatten()
        spans.append((int(reached[0]), int(reached[-1])) if len(reached) else None)
    return spans


def assert_gradients_agree(net, shape, inside_at_least=1):
    """No unit sees a pixel outside its window, and units inside the image see it from end to end."""
    row = last(net, shape)
    assert row.field is not None, row.reason
    for axis in (0, 1):
        window = (row.field.h, row.field.w)[axis]
        inside, spans = 0, spans_by_gradient(net, shape, axis)
        for unit, span in enumerate(spans):
            first, end = window.span(unit)
            assert span is None or (first <= span[0] and span[1] <= end), f"unit {unit}: {span} not in {first, end}"
            if first >= 0 and end < shape[2 + axis] or window.step == 0:
                assert span == (max(first, 0), min(end, shape[2 + axis] - 1)), f"unit {unit}"
                inside += 1
        assert inside >= inside_at_least
    return row


# Oracle 2: NaN. Where one side of the image is NaN, exactly those units turn NaN whose window reaches that side.

def reached_by_nan(net, shape, axis, spoilt):
    """For each call of a layer, by name: which units along the axis turned NaN."""
    calls, hooks = {}, []
    for name, module in net.named_modules():
        def note(module, inputs, output, name=name):
            reached = output.isnan()
            reached = reached.any(1).any(2 - axis)[0] if output.dim() == 4 else reached.any().view(1)
            calls.setdefault(name, []).append(reached.tolist())
        hooks.append(module.register_forward_hook(note))
    x = torch.rand(shape)
    x.narrow(2 + axis, spoilt.start, len(spoilt)).fill_(torch.nan)
    # oneDNN's convolutions may spread a NaN over a tile.
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        net(x)
    for hook in hooks:
        hook.remove()
    return calls


def assert_nan_agrees(net, shape, axis, cut, inside_only=False):
    """Compare every layer, from both sides of `cut`; returns how many layers the cut ran through."""
    size, told = shape[2 + axis], 0
    traced = trace(net, shape)
    for spoilt, hit in ((range(0, cut), lambda span: span[0] < cut), (range(cut, size), lambda span: span[1] >= cut)):
        measured = reached_by_nan(net, shape, axis, spoilt)
        calls = {name: iter(masks) for name, masks in measured.items()}
        for row in traced:
            if row.name not in calls:  # a function
                continue
            assert row.field is not None, f"{row.name}: {row.reason}"
            mask, window = next(calls[row.name]), (row.field.h, row.field.w)[axis]
            spans = [window.span(unit) for unit in range(len(mask))]
            units = [i for i, (a, b) in enumerate(spans) if not inside_only or (a >= 0 and b < size)]
            predicted = [hit(spans[i]) for i in units]
            assert [mask[i] for i in units] == predicted, f"{row.name} ({row.kind}), {row.receptive_field}"
            told += any(predicted) and not all(predicted)
    return told


# Published numbers

def vgg_c():
    layers, channels = [], 3
    for count, out in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for i in range(count):
            kernel = 1 if i == 2 else 3
            layers += [nn.Conv2d(channels, out, kernel, padding=kernel // 2), nn.ReLU()]
            channels = out
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


@pytest.mark.parametrize("name, field", [("vgg11", 150), ("vgg_c", 156), ("vgg16", 212), ("alexnet", 195)])
def test_fields_and_strides_are_those_published_in_distill(name, field):
    with torch.device("meta"):
        net = vgg_c() if name == "vgg_c" else getattr(torchvision.models, name)().features
    row = last(net, (1, 3, 224, 224))
    assert (row.receptive_field, row.jump) == ((field, field), (32, 32))


def test_flatten_and_the_head_see_the_hull_of_all_units():
    rows = trace(official("vgg16"), (1, 3, 224, 224))
    assert rows["features.30"].start == (-90, -90)
    for row in (rows["flatten"], rows["classifier.6"]):  # 7 units, 32 apart: 212 + 6 · 32
        assert (row.receptive_field, row.start, row.jump) == ((404, 404), (-90, -90), None)


def test_vgg_at_32_pixels_repeats_its_only_unit():
    rows = trace(official("vgg16"), (1, 3, 32, 32))
    assert rows["avgpool"].output_shape == (1, 512, 7, 7)
    for name in ("avgpool", "flatten", "classifier.0"):
        assert (rows[name].receptive_field, rows[name].start, rows[name].jump) == ((212, 212), (-90, -90), None)


# Counts and shapes

PARAMETERS = {"vgg11": 132_863_336, "vgg16": 138_357_544, "vgg19": 143_667_240, "alexnet": 61_100_840,
              "resnet18": 11_689_512, "resnet50": 25_557_032, "densenet121": 7_978_856, "mobilenet_v2": 3_504_872}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_official_numbers(name):
    traced = trace(official(name), (1, 3, 64, 64))
    assert traced.params == sum(row.params for row in traced) == PARAMETERS[name]


def test_torchinfo_counts_biases_and_norms_and_nothing_else_besides():
    for name, shape, total in (("vgg16", (1, 3, 224, 224), 15_470_264_320), ("resnet18", (2, 3, 64, 64), None)):
        net = official(name)
        ours, theirs = trace(net, shape), torchinfo.summary(net, shape, verbose=0, device="meta")
        assert total is None or (ours.macs == total and theirs.total_mult_adds == 15_483_821_032)
        modules, extra = dict(net.named_modules()), 0
        for row in ours:
            module = modules.get(row.name)
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                extra += torch.Size(row.output_shape).numel()        # one addition for each unit
            elif isinstance(module, nn.Linear):
                extra += row.output_shape[0] * module.out_features   # one for each feature
            elif isinstance(module, nn.BatchNorm2d):
                extra += row.output_shape[0] * 2 * module.num_features  # its weights and biases, once an image
        assert theirs.total_mult_adds - ours.macs == extra > 0


@pytest.mark.parametrize("net", [
    conv(4, 6, (3, 5), stride=(2, 1), padding=1, groups=2),
    conv(4, 8, 3, dilation=2, groups=4, bias=False),
    nn.ConvTranspose2d(4, 6, (4, 3), stride=2, padding=1, groups=2),
    nn.Sequential(nn.Flatten(), nn.Linear(4 * 16 * 20, 7)),
    nn.Linear(20, 3),
    Calls(lambda s, x: F.conv2d(x, s.w, stride=2), w=nn.Parameter(torch.ones(5, 4, 3, 3))),
    Calls(lambda s, x: F.conv_transpose2d(x, s.w, stride=2), w=nn.Parameter(torch.ones(4, 5, 3, 3))),
    Calls(lambda s, x: x.flatten(1) @ s.w + s.b, w=nn.Parameter(torch.ones(1280, 7)), b=nn.Parameter(torch.ones(7))),
], ids=["groups", "depthwise", "transposed", "linear", "linear on maps", "conv2d", "conv_transpose2d", "matmul"])
def test_multiply_adds_are_half_of_pytorchs_own_operation_count(net):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.ones(3, 4, 16, 20))
    traced = trace(net, (3, 4, 16, 20))
    assert traced.macs * 2 == counter.get_total_flops() > 0
    assert traced.params == sum(row.params for row in traced) == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("name, size", [("alexnet", 224), ("vgg11_bn", 64), ("shufflenet_v2_x0_5", 64)])
def test_shapes_are_those_of_torchinfo(name, size):
    net = official(name).eval()
    theirs = torchinfo.summary(net, (2, 3, size, size), verbose=0, device="meta", depth=9).summary_list
    leaves = [tuple(layer.output_size) for layer in theirs if layer.is_leaf_layer]
    layers = dict(net.named_modules())
    assert [row.output_shape for row in trace(net, (2, 3, size, size)) if row.name in layers] == leaves


def test_a_shared_layer_has_its_parameters_once_and_its_products_each_time():
    shared = conv(2, 2, padding=1)
    once, twice = (trace(nn.Sequential(*[shared] * n), (1, 2, 8, 8)) for n in (1, 2))
    assert len(twice) == 2 and twice.params == once.params == 38 and twice.macs == 2 * once.macs
    assert [row.params for row in twice] == [38, 0]
    assert [row.receptive_field for row in twice] == [(3, 3), (5, 5)]


def test_tied_weights_count_once():
    net = nn.Sequential(conv(padding=1), conv(padding=1))
    net[1].weight = net[0].weight
    traced = trace(net, (1, 2, 8, 8))
    assert traced.params == 36 + 2 + 2 and [row.params for row in traced] == [36 + 2, 2]


def test_parameters_that_eval_mode_does_not_use_are_counted_and_named():
    net = official("googlenet", init_weights=False)
    traced = trace(net, (1, 3, 64, 64))
    assert traced.params == 13_004_888 and sum(row.params for row in traced) == 6_624_904
    assert "6,379,984 of the parameters are in no row" in str(traced)


# Fields of real nets

THIN = {  # sizes at which some units' windows end inside the image
    "resnet18": (700, 33), "resnet50": (700, 33), "googlenet": (700, 33), "inception_v3": (1500, 75),
    "densenet121": (1400, 33), "mobilenet_v2": (800, 33),
}


@pytest.mark.filterwarnings("ignore:TF32", "ignore:The default weight initialization")
@pytest.mark.parametrize("name", THIN)
def test_a_nan_reaches_the_predicted_units_in_every_layer_of(name):
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    net = getattr(torchvision.models, name)(**options).eval()
    long, short = THIN[name]
    layers = len(trace(net, (1, 3, long, short)))
    told = assert_nan_agrees(net, (1, 3, long, short), 0, cut=long // 5 + 3)
    if name == "inception_v3":  # 1×7 and 7×1 kernels: rows and columns differ
        told = min(told, assert_nan_agrees(net, (1, 3, short, long), 1, cut=long // 5 + 3))
    assert told > layers * 0.6  # the cut runs through most layers, from one side at least


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("name, build, long", [
    ("zfnet", lambda: zfnet(input_size=(600, 47)), 600), ("googlenet", lambda: googlenet("paper"), 700),
    ("resnet", lambda: resnet(18), 700)])
def test_a_nan_reaches_the_predicted_units_in_the_course_s_own(name, build, long):
    torch.manual_seed(0)
    net, short = build().eval(), 47
    told = assert_nan_agrees(net, (1, 1, long, short), 0, cut=long // 5 + 3)
    assert told > len(trace(net, (1, 1, long, short))) * 0.6


OTHERS = ("alexnet vgg11 vgg13 vgg19 resnet34 resnet101 resnext50_32x4d wide_resnet50_2 squeezenet1_0 squeezenet1_1 "
          "mobilenet_v3_small mobilenet_v3_large shufflenet_v2_x1_0 mnasnet1_0 efficientnet_b0 regnet_y_400mf").split()


@pytest.mark.parametrize("name", OTHERS)
def test_every_layer_has_a_known_field_in(name):
    assert [row.reason for row in trace(official(name), (1, 3, 224, 224)) if row.field is None] == []


def random_stack(rng):
    layers = []
    for _ in range(rng.randint(1, 4)):
        kernel, stride, dilation = ([rng.randint(1, top) for _ in range(2)] for top in (4, 2, 2))
        reach = [d * (k - 1) for d, k in zip(dilation, kernel)]
        kind = rng.choice(["conv", "same", "max", "avg"])
        if kind == "conv":
            padding = [rng.randint(0, r) for r in reach]
            layers.append(nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, dilation=dilation))
        elif kind == "same":
            layers.append(nn.Conv2d(1, 1, kernel, padding="same", dilation=dilation))
        else:
            padding, ceil = [rng.randint(0, k // 2) for k in kernel], rng.random() < 0.5
            layers.append(nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil) if kind == "avg" else
                          nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil))
    return nn.Sequential(*layers)


@pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:TF32")
def test_random_stacks_agree_with_nan_on_interior_units():
    rng, told = random.Random(3), 0
    for _ in range(50):
        net, shape = random_stack(rng), (1, 1, rng.randint(40, 60), rng.randint(40, 60))
        for axis in (0, 1):
            for cut in rng.sample(range(12, shape[2 + axis] - 12), 3):
                told += assert_nan_agrees(net, shape, axis, cut, inside_only=True)
    assert told > 1000


# Operations, against gradients

SAME = {"padding": 1}
UP = nn.Upsample(scale_factor=2)


@pytest.mark.parametrize("net, field, jump", [
    (nn.Sequential(conv(), UP), 3, Fraction(1, 2)),
    (nn.Sequential(conv(), nn.MaxPool2d(2), UP, conv()), 6, 1),
    (nn.Sequential(conv(stride=2), nn.Upsample(scale_factor=3, mode="bilinear"), conv()), 7, Fraction(2, 3)),
    (nn.Sequential(nn.UpsamplingBilinear2d(scale_factor=2), conv()), None, None),
    (nn.Sequential(conv(stride=3), nn.ConvTranspose2d(2, 2, 3, stride=3)), 3, 1),
    (nn.Sequential(nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1), conv()), 3, Fraction(1, 2)),
    (nn.Sequential(nn.Conv2d(2, 8, 3), nn.PixelShuffle(2), conv()), 4, Fraction(1, 2)),
    (nn.Sequential(nn.AdaptiveAvgPool2d(8), conv()), 9, 3),
    (nn.Sequential(nn.AdaptiveAvgPool2d(10), conv()), 8, Fraction(24, 10)),
    (Calls(lambda s, x: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2) + x), 2, 1),
    (Calls(lambda s, x: F.pad(x, (3, 3, 3, 3))[:, :, 2:-1, 2:-1]), 1, 1),
    (Calls(lambda s, x: s.c(x)[..., 1::2, 1::2], c=conv()), 3, 2),
    (nn.Sequential(nn.ReflectionPad2d(2), conv(kernel=5)), 5, 1),
    (nn.Sequential(nn.ZeroPad2d(2), conv(kernel=5)), 5, 1),
    (conv(kernel=4, padding="same"), 4, 1),
    (nn.Sequential(conv(kernel=4, padding="same", dilation=2), nn.LPPool2d(2, 3, 2)), 9, 2),
    (nn.Sequential(conv(**SAME), nn.BatchNorm2d(2), nn.LocalResponseNorm(2), nn.Dropout(), nn.PReLU()), 3, 1),
    (Calls(lambda s, x: torch.cat([s.a(x), s.b(x), x], dim=1), a=conv(**SAME), b=conv(kernel=5, padding=2)), 5, 1),
    (Calls(lambda s, x: s.a(x) + s.b(x), a=conv(kernel=(5, 1), padding=(2, 0)), b=conv(**SAME)), None, 1),
    (Calls(lambda s, x: torch.softmax(s.a(x), dim=1), a=conv(**SAME)), 3, 1),
    (Calls(lambda s, x: torch.max(s.a(x), s.b(x)) * x.mean(1, keepdim=True), a=conv(**SAME), b=conv(**SAME)), 3, 1),
    (Calls(lambda s, x: torch.stack([x[:, 0], s.a(x)[:, 1]], dim=1), a=conv(**SAME)), 3, 1),
    (Calls(lambda s, x: torch.cat([x[:, 0].unsqueeze(1), s.a(x).chunk(2, dim=1)[1]], 1), a=conv(**SAME)), 3, 1),
    (Calls(lambda s, x: s.a(x).view(2, 1, 2, 24, 24).transpose(1, 2).reshape(2, 2, 24, 24), a=conv(**SAME)), 3, 1),
])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_windows_are_what_gradients_reach(net, field, jump):
    row = assert_gradients_agree(net, (2, 2, 24, 24), inside_at_least=6)
    assert field is None or row.receptive_field == (field, field)
    assert jump is None or row.jump == (jump, jump)


@pytest.mark.parametrize("net", [
    nn.Sequential(conv(), nn.AdaptiveAvgPool2d(1)),
    nn.Sequential(conv(), nn.AdaptiveAvgPool2d(5), nn.Flatten()),
    nn.Sequential(conv(stride=2), nn.Flatten(), nn.Linear(2 * 11 * 11, 3), nn.ReLU()),
    Calls(lambda s, x: s.a(x).mean((2, 3)), a=conv()),
    Calls(lambda s, x: s.a(x).flatten(2).mean(-1), a=conv()),
    Calls(lambda s, x: torch.flatten(s.a(x), 1), a=conv(stride=3)),
    Calls(lambda s, x: s.a(x).view(x.size(0), -1), a=conv(stride=3)),
    Calls(lambda s, x: s.a(x).reshape(x.shape[0], -1), a=conv(stride=3)),
    Calls(lambda s, x: F.adaptive_avg_pool2d(s.a(x), 1).squeeze(-1).squeeze(-1), a=conv()),
    Calls(lambda s, x: s.a(x).permute(0, 2, 3, 1).flatten(1), a=conv(stride=2)),
    Calls(lambda s, x: s.n(s.a(x).transpose(2, 3)).view(x.size(0), -1), a=conv(stride=2), n=nn.BatchNorm2d(2)),
    nn.Sequential(conv(), nn.GroupNorm(1, 2), conv(**SAME)),
    nn.Sequential(conv(), nn.InstanceNorm2d(2)),
    nn.Sequential(conv(), nn.LayerNorm((2, 22, 22))),
    nn.Sequential(conv(), nn.BatchNorm2d(2, track_running_stats=False)),
    Calls(lambda s, x: torch.softmax(s.a(x).flatten(2), dim=-1), a=conv()),
    # squeeze-excitation, as modules and by hand: every unit sees the whole image
    nn.Sequential(conv(**SAME), torchvision.ops.SqueezeExcitation(2, 1), conv(**SAME)),
    Calls(lambda s, x: x + s.a(x) * s.f(F.adaptive_avg_pool2d(s.a(x), 1).view(2, 2)).view(2, 2, 1, 1).expand_as(x),
          a=conv(**SAME), f=nn.Linear(2, 2)),
    Calls(lambda s, x: F.interpolate(F.adaptive_avg_pool2d(x, 1), size=x.shape[2:], mode="bilinear") + x),
    Calls(lambda s, x: F.adaptive_avg_pool2d(F.avg_pool2d(s.a(x), 22), 7), a=conv()),
])
def test_where_units_share_a_window_it_is_the_exact_hull(net):
    row = assert_gradients_agree(net, (2, 2, 24, 24))
    assert row.jump is None and row.reason is None


def test_softmax_along_rows_sees_whole_columns_only():
    row = assert_gradients_agree(Calls(lambda s, x: torch.softmax(s.a(x), dim=2), a=conv()), (1, 2, 12, 12))
    assert (row.receptive_field, row.jump, row.start) == ((12, 3), (None, 1), (0, 0))


def test_uneven_adaptive_pooling_knows_the_window_of_each_unit():
    row = assert_gradients_agree(nn.AdaptiveAvgPool2d((5, 4)), (1, 1, 7, 8), inside_at_least=4)
    assert [row.field.h.span(i) for i in range(5)] == [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6)]
    assert row.receptive_field == (3, 2) and row.jump == (Fraction(7, 5), 2)


def test_adding_in_place_changes_what_the_tensor_sees_later():
    def residual(self, x):
        out = self.a(x)
        out.add_(self.b(x))
        return self.a(out)
    net = Calls(residual, a=conv(**SAME), b=conv(kernel=7, padding=3))
    assert assert_gradients_agree(net, (1, 2, 16, 16)).receptive_field == (9, 9)


def test_ceil_mode_adds_a_unit_and_keeps_the_windows():
    floor, ceil = (last(nn.MaxPool2d(3, 2, ceil_mode=mode), (1, 1, 8, 8)) for mode in (False, True))
    assert floor.output_shape[-1] + 1 == ceil.output_shape[-1] and floor.field == ceil.field


# Unknown fields

def custom(x):
    return torch.flip(x, dims=(2,))


torch.fx.wrap("custom")


def relu(x):  # not PyTorch's
    return x.flip(3)


torch.fx.wrap("relu")


@pytest.mark.parametrize("function, reason", [
    (lambda s, x: x.flip(2), "no rule for flip"),
    (lambda s, x: torch.roll(x, 3, 2), "no rule for roll"),
    (lambda s, x: custom(x), "no rule for custom"),
    (lambda s, x: relu(x), "no rule for relu"),
    (lambda s, x: torch.cat([x, x], dim=-1)[..., :16], "along rows or columns"),
    (lambda s, x: F.max_pool2d(x, 2) + x[:, :, :8, :8], "different jumps meet: 2 and 1 pixels"),
    (lambda s, x: x.transpose(2, 3), "flattened or permuted"),
    (lambda s, x: x.flatten(2).view(1, 2, 16, 16), "flattened or permuted"),
    (lambda s, x: F.interpolate(x, size=23), "16×16 to 23×23"),
    (lambda s, x: F.interpolate(x, scale_factor=2, mode="bicubic"), "bicubic"),
    (lambda s, x: F.conv2d(x, x.mean((2, 3), keepdim=True)), "weights are computed from the image"),
    (lambda s, x: x.chunk(2, dim=2)[0], "part along rows"),
    (lambda s, x: x * x.flatten(1)[:, :1, None, None], "flattened"),
    (lambda s, x: x.unfold(2, 2, 2).sum(-1), "no rule for unfold"),
    (lambda s, x: torch.einsum("nchw,cd->ndhw", x, torch.eye(2)), "no rule for einsum"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_an_operation_without_a_rule_makes_the_field_unknown_from_there_on(function, reason):
    class Net(nn.Sequential):
        def forward(self, x):
            return self[1](function(self, self[0](x)))

    net = Net(nn.Identity(), nn.LazyConv2d(2, 1))
    net(torch.ones(1, 2, 16, 16))
    traced = trace(net, (1, 2, 16, 16))
    assert traced[0].receptive_field == (1, 1) and traced[0].reason is None
    row = traced[-1]
    assert (row.receptive_field, row.jump, row.start) == (None, None, None) and reason in row.reason
    assert row.output_shape == tuple(net(torch.ones(1, 2, 16, 16)).shape)  # the shape is known all the same
    assert row.reason in str(traced) and escape(row.reason) in traced._repr_html_()


def test_a_layer_without_a_rule_says_so():
    row = last(nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 1, 3)), (1, 2, 8, 8))
    assert row.field is None and "no rule for Conv1d" in row.reason and row.macs == 6 * 62


# Nothing is left behind

def test_nothing_is_allocated():
    net = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=4), nn.Flatten())
    assert trace(net, (1024, 3, 8192, 8192))[-1].output_shape == (1024, 64 * (4 * 8192) ** 2)  # 256 TiB


def snapshot(net):
    return [(id(m), m.training, list(vars(m)), list(m._forward_hooks)) for m in net.modules()], \
        [(id(t), t.device, t.dtype, t.data_ptr(), t._version, None if t.grad is None else id(t.grad))
         for t in [*net.parameters(), *net.buffers()]]


class Stubborn(nn.Module):
    """Remembers its input, and cannot be traced if asked to."""

    def __init__(self, fails):
        super().__init__()
        self.fails, self.conv = fails, conv(**SAME)

    def forward(self, x):
        self.seen = x
        if self.fails and x.mean() > 0:
            return x
        return self.conv(x)


@pytest.mark.parametrize("fails", [False, True])
def test_the_net_is_left_as_it_was_also_after_an_error(fails):
    net = nn.Sequential(conv(**SAME), nn.BatchNorm2d(2), nn.Dropout(), nn.Sequential(Stubborn(fails)))
    net[2].eval()
    calls = []
    for module in net.modules():
        module.register_forward_hook(lambda *_: calls.append("hook"))
        module.register_forward_pre_hook(lambda *_: calls.append("hook"))
    net[0].weight.grad = torch.ones_like(net[0].weight)
    before = snapshot(net)
    if fails:
        with pytest.raises(ValueError):
            trace(net, (1, 2, 8, 8))
    else:
        trace(net, (1, 2, 8, 8))
    assert snapshot(net) == before and calls == []


def test_a_net_in_training_mode_is_traced_in_eval_mode():
    class Switch(nn.Module):
        def forward(self, x):
            return x[:, :, ::2] if self.training else x

    net = nn.Sequential(Switch(), nn.BatchNorm2d(2)).train()
    assert last(net, (1, 2, 8, 8)).output_shape == (1, 2, 8, 8) and net[0].training


@pytest.mark.parametrize("net", [conv(), nn.Sequential(conv(), nn.BatchNorm2d(2), nn.Linear(6, 1))])
def test_other_number_types_the_meta_device_and_single_layers_work(net):
    shape = (1, 2, 8, 8)
    expected = str(trace(net, shape))
    for other in (net.to(torch.bfloat16), net.double(), net.to("meta")):
        assert str(trace(other, shape)) == expected


def test_an_example_tensor_stands_for_its_shape():
    net = conv()
    assert trace(net, torch.empty(4, 2, 9, 9)) == trace(net, (4, 2, 9, 9)) == trace(net, torch.Size([4, 2, 9, 9]))


def test_constants_made_in_forward_and_default_arguments_are_fine():
    class Net(nn.Module):
        def forward(self, x, flag=False, scale=None):
            if flag or scale is not None:
                return x[:, :, 1:]
            return x * torch.tensor([[[2.0]], [[3.0]]])

    assert last(nn.Sequential(Net(), conv()), (3, 2, 8, 8)).receptive_field == (3, 3)


# What is refused

@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 0, 32), (1, -3, 8, 8), (1, 3, 8.0, 8), (True, 3, 8, 8), 224,
                                   None, "1388", torch.ones(3, 8, 8)])
def test_a_shape_must_be_four_positive_whole_numbers(shape):
    with pytest.raises(ValueError, match=r"input_shape must be four whole numbers.*\(1, 3, 224, 224\).*got"):
        trace(nn.ReLU(), shape)


def test_only_nets_are_traced():
    with pytest.raises(TypeError, match="torch.nn.Module.*got function"):
        trace(custom, (1, 3, 8, 8))


@pytest.mark.parametrize("net, message", [
    (nn.Sequential(conv(2, 3), nn.Sequential(nn.ReLU(), conv(4, 4))), r"1\.1 \(Conv2d\) takes 4 channels, got 3.*1×3"),
    (nn.Sequential(conv(2, 3), nn.BatchNorm2d(5)), r"1 \(BatchNorm2d\) takes 5 channels, got 3"),
    (nn.Sequential(nn.Flatten(), nn.BatchNorm2d(128)), r"1 \(BatchNorm2d\) takes four dimensions.*1×128"),
    (nn.Sequential(nn.Flatten(), nn.Linear(100, 9)), r"1 \(Linear\) takes 100 features.*got 128"),
    (nn.Sequential(nn.MaxPool2d(9)), r"0 \(MaxPool2d\) cannot take what reaches it, 1×2×8×8: .*too small"),
    (nn.Sequential(conv(kernel=9)), r"0 \(Conv2d\) cannot take what reaches it, 1×2×8×8: "),
    (Calls(lambda s, x: x + x[:, :, 1:]), r"add \(add\) cannot take what reaches it, 1×2×8×8 and 1×2×7×8"),
    (nn.LazyConv2d(3, 3), "run one batch through the net first"),
    (Calls(lambda s, x: nn.ReLU()(x)), "not installed as a submodule"),
])
def test_a_net_that_cannot_take_the_shape_is_refused_by_the_layers_name(net, message):
    with pytest.raises(ValueError, match=message):
        trace(net, (1, 2, 8, 8))


def test_a_forward_that_cannot_be_followed_is_refused_by_its_line():
    class Inner(nn.Module):
        def forward(self, x):
            if x.sum() > 0:  # the line in the way
                return x
            return -x

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)

    with pytest.raises(ValueError, match="cannot follow") as error:
        trace(nn.Sequential(conv(), Outer()), (1, 2, 8, 8))
    line = Inner.forward.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}, in forward: if x.sum() > 0:  # the line in the way" in str(error.value)
    assert "self.inner(x)" not in str(error.value)


# The table

def small():
    def forward(self, x):
        x = self.up(self.a(x))
        return (x + x.mean(1, keepdim=True)).flip(2)
    return Calls(forward, a=nn.Conv2d(2, 1000, (2, 3), stride=(1, 2), padding=(1, 0)), up=nn.Upsample(scale_factor=2))


def test_the_table_is_this_word_for_word():
    traced = trace(small(), (1, 2, 8, 9))
    assert repr(traced) == str(traced) == """\
Calls, input 1×2×8×9
name   kind      output shape  parameters  multiply-adds  receptive field   jump  start
a      Conv2d    1×1000×9×4        13,000        432,000              2×3    1×2  -1, 0
up     Upsample  1×1000×18×8            0              0             ~2×3  1/2×1  -1, 0
mean   mean      1×1×18×8               0              0             ~2×3  1/2×1  -1, 0
add    add       1×1000×18×8            0              0             ~2×3  1/2×1  -1, 0
flip   flip      1×1000×18×8            0              0                ?      ?      ?
total                              13,000        432,000
? unknown from flip on: trace has no rule for flip
~ windows differ from unit to unit: the largest, and the mean jump"""


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_html_table_is_well_formed_labelled_and_free_of_colours():
    traced = trace(small(), (1, 2, 8, 9))
    tags = Tags(traced._repr_html_())
    assert tags.open == [] and [tag for tag, _ in tags.seen].count("caption") == 1
    heads = [attributes["scope"] for tag, attributes in tags.seen if tag == "th"]
    assert heads == ["col"] * 8 + ["row"] * (len(traced) + 1)  # the columns, each row and the total
    assert "color" not in traced._repr_html_() and "background" not in traced._repr_html_()
    text = str(traced)
    assert all(word.strip() in text for word in tags.words)


def test_rows_are_found_by_number_and_by_name():
    traced = trace(nn.Sequential(conv(), nn.Sequential(nn.ReLU())), (1, 2, 8, 8))
    assert len(traced) == 2 and list(traced) == [traced[0], traced["1.0"]] and traced[-1] is traced[1]
    with pytest.raises(KeyError, match="no row is named 'conv'; the names are 0, 1.0"):
        traced["conv"]
