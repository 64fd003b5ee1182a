"""The library in a terminal.

    python -m course_lib trace D                                    a net's table: shapes, weights, work, fields
    python -m course_lib trace alexnet:paper --channels 1 --classes 10
    python -m course_lib trace resnet:50 --size 320
    python -m course_lib train 92                                   a recipe by name, see course_lib/recipes.py
    torchrun --nproc-per-node 2 -m course_lib train 92              the same on two processes
    python -m course_lib train --arch 1x16,1x32,2x64 --size 28 --hidden 128 --epochs 3 --lr 0.05 --json run.json
"""

import argparse
import dataclasses
import json
import os
import sys
from functools import partial
from pathlib import Path

import torch

from .alexnet import alexnet
from .distributed import rank_and_world
from .googlenet import googlenet
from .recipes import RECIPES, Recipe, run_recipe
from .resnet import RESNET_CONFIGS, resnet
from .trace import trace
from .vgg import VGG_CONFIGS, vgg
from .zfnet import zfnet

SIZED = {  # name: builder, of the nets whose head depends on the input's size
    **{name: partial(vgg, name) for name in VGG_CONFIGS},
    **{f"alexnet:{variant}": partial(alexnet, variant) for variant in ("paper", "torchvision", "half")},
    "zfnet": zfnet,
}
NETS = SIZED | {
    **{f"googlenet:{variant}": partial(googlenet, variant) for variant in ("paper", "torchvision")},
    **{f"resnet:{depth}": partial(resnet, depth) for depth in RESNET_CONFIGS},
}


def main(arguments=None):
    """Run one command; return the exit status: 0, or 2 with one sentence on what was wrong."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, OSError, FloatingPointError) as error:
        print(f"course_lib {options.command}: {error}", file=sys.stderr)
        return 2


def _parser():
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="trace | train")

    tracing = commands.add_parser("trace", help="print shapes, parameters, multiply-adds and receptive fields")
    tracing.add_argument("net", help=f"one of {', '.join(NETS)}, or an architecture such as 1x16,2x32")
    tracing.add_argument("--size", type=int, help="height and width of the input in pixels (default: the paper's)")
    tracing.add_argument("--channels", type=int, default=3)
    tracing.add_argument("--classes", type=int, default=1000)
    tracing.set_defaults(run=_trace)

    training = commands.add_parser("train", help="train on Fashion-MNIST, by a recipe or by your own settings")
    training.add_argument("recipe", nargs="?", help=f"one of {', '.join(RECIPES)}; options below change it")
    training.add_argument("--arch", help=f"one of {', '.join(VGG_CONFIGS)}, or blocks such as 1x16,2x32")
    for name, kind, text in [("--size", int, "pixels a side"), ("--batch-size", int, "images a step"),
                             ("--lr", float, "peak learning rate"), ("--epochs", int, "passes over the training set"),
                             ("--hidden", int, "units in the head's two hidden layers")]:
        training.add_argument(name, type=kind, help=text)
    training.add_argument("--batch-norm", action=argparse.BooleanOptionalAction, default=None)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--json", type=Path, metavar="FILE", help="write settings and result to FILE")
    training.set_defaults(run=_train)
    return parser


def _arch(text, known=VGG_CONFIGS):
    """Turn "1x16,2x32" into ((1, 16), (2, 32)); leave the name of a configuration as it is."""
    if text in VGG_CONFIGS:
        return text
    try:
        return tuple((int(count), int(width)) for count, width in (pair.split("x") for pair in text.split(",")))
    except ValueError:
        raise ValueError(f"unknown architecture {text!r}: allowed are {', '.join(known)}, or blocks as "
                         f"(convolutions)x(channels), such as 1x16,2x32") from None


def _trace(options):
    build = NETS[options.net] if options.net in NETS else partial(vgg, _arch(options.net, NETS))
    size = options.size or (227 if options.net == "alexnet:paper" else 224)
    sized = {"input_size": size} if options.net in SIZED or options.net not in NETS else {}
    with torch.device("meta"):                  # nothing is allocated: a table needs no weights
        net = build(in_channels=options.channels, num_classes=options.classes, **sized)
    print(trace(net, (1, options.channels, size, size)))
    return 0


def _train(options):
    if options.recipe is None and options.arch is None:
        raise ValueError(f"name a recipe ({', '.join(RECIPES)}) or give --arch, such as --arch 1x16,2x32")
    if options.recipe is not None and options.recipe not in RECIPES:
        raise ValueError(f"unknown recipe {options.recipe!r}: allowed are {', '.join(RECIPES)}")
    if options.json and not options.json.parent.is_dir():
        raise ValueError(f"--json {options.json}: there is no folder {options.json.parent}; make it first")
    base = RECIPES[options.recipe] if options.recipe else Recipe(
        arch="A", epochs=10, lr=0.05, size=224, batch_size=128, batch_norm=False, hidden=4096)
    changed = {name: getattr(options, name) for name in ("size", "batch_size", "lr", "epochs", "hidden", "batch_norm")
               if getattr(options, name) is not None}
    if options.arch:
        changed["arch"] = _arch(options.arch)
    if changed:                                 # what is still being chosen is chosen on images of its own
        changed["valid"] = 5000
    recipe = dataclasses.replace(base, **changed)
    result = run_recipe(recipe, seed=options.seed)
    if rank_and_world()[0] > 0:                 # under torchrun, rank 0 speaks for all
        return 0
    print(f"test accuracy {100 * result['test_accuracy']:.2f} % after {recipe.epochs} epochs, "
          f"{result['seconds']:.1f} s, {result['parameters']:,} parameters")
    if options.json:
        temporary = options.json.with_name(options.json.name + ".tmp")
        temporary.write_text(json.dumps({"settings": dataclasses.asdict(recipe), **result}, indent=1) + "\n")
        os.replace(temporary, options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
