"""`trace` beside torchinfo and torchscan on torchvision's nets: seconds, memory, and whether its fields are right."""

import statistics
import warnings

import torch

import course_lib

from .fields import fields_right
from .measure import BENCH, in_new_process, in_turns, megabytes, optional, seconds, with_ratio

NETS = ("alexnet vgg11 vgg13 vgg16 vgg19 googlenet inception_v3 resnet18 resnet34 resnet50 resnet101 resnext50_32x4d "
        "wide_resnet50_2 densenet121 squeezenet1_0 squeezenet1_1 mobilenet_v2 mobilenet_v3_large shufflenet_v2_x1_0 "
        "mnasnet1_0 efficientnet_b0 regnet_y_400mf").split()
CLASSIC = ("alexnet", "vgg11", "vgg13", "vgg16", "vgg19")


def trace(quick):
    """Trace each net in a new process, whose memory then tells what tracing took."""
    beside = [name for name, install in (("torchinfo", "pip install torchinfo"), ("torchscan", BENCH))
              if optional(name, "trace", install)]
    figures = {}
    for name in ("alexnet", "squeezenet1_1") if quick else NETS:
        figures |= in_new_process("import json; from course_tools.bench.tracing import trace_here; "
                                  f"print(json.dumps(trace_here({name!r}, {1 if quick else 5}, {beside})))")
        for other in beside:
            figures = with_ratio(figures, f"trace.{name}", "seconds", f"{other}_seconds", f"ratio_to_{other}")
        print(f"  {name}: {figures[f'trace.{name}.seconds']:.3f} s, fields right: "
              f"{figures[f'trace.{name}.field_right']}", flush=True)
    right = [value for key, value in figures.items() if key.endswith(".field_right")]
    figures["trace.nets_right"] = sum(right) / len(right)
    for other in beside:
        worst = [figures[f"trace.{name}.ratio_to_{other}"] for name in CLASSIC if f"trace.{name}.seconds" in figures]
        figures[f"trace.classic_ratio_to_{other}"] = max(worst)
        all_of_them = [value for key, value in figures.items() if key.endswith(f".ratio_to_{other}")]
        figures[f"trace.median_ratio_to_{other}"] = statistics.median(all_of_them)
    return figures


def trace_here(name, rounds, beside):
    """Trace one net in this process; return its figures, with those of the libraries `beside` them."""
    net, shape = official(name), (1, 3, 224, 224)
    course_lib.trace(torch.nn.Conv2d(1, 1, 1), (1, 1, 1, 1))  # what is imported or cached once
    before = megabytes("VmRSS")
    course_lib.trace(net, shape)
    figures = {f"trace.{name}.megabytes": megabytes("VmHWM") - before}
    jobs = {"seconds": lambda: seconds(lambda: course_lib.trace(net, shape))}
    if "torchinfo" in beside:
        import torchinfo
        jobs["torchinfo_seconds"] = lambda: seconds(lambda: torchinfo.summary(net, input_size=shape, verbose=0))
    if "torchscan" in beside:
        import torchscan
        jobs["torchscan_seconds"] = lambda: seconds(lambda: torchscan.crawl_module(net.eval(), shape[1:]))
    figures |= in_turns(f"trace.{name}", rounds, jobs)
    right, layers = fields_right(net)
    return figures | {f"trace.{name}.layers": layers, f"trace.{name}.field_right": right == layers}


def official(name):
    """Build one of torchvision's nets, with its quick initial weights where it asks."""
    import torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of initial weights that will change
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return getattr(torchvision.models, name)(**options)
