"""Time to 92, 93 and 94 % by the recipes, and how far that is from what the machine's matrix products would allow."""

import dataclasses
from functools import partial

from course_lib import trace
from course_lib.device import has_bf16, pick_device
from course_lib.recipes import RECIPES, build

from ..doctor import matmul_speed
from .measure import in_new_process

SEEDS = 5
FP32_SEEDS = {"92": 3, "93": 1, "94": 1}  # in 32 bits, beside 16; the longer recipes take minutes a run
ONE_RUN = ("import dataclasses, json; from course_lib.recipes import RECIPES, run_recipe; "
           "recipe = dataclasses.replace(RECIPES[{name!r}], **{changes!r}); "
           "print(json.dumps(run_recipe(recipe, seed={seed}, precision={precision!r}, progress=False)))")


def time_to(name, quick):
    """Train by the recipe `name`, once a seed, each run in a process of its own; a quick run is one epoch."""
    figures = {}
    passes = {"": ("auto", SEEDS), "fp32_": ("fp32", FP32_SEEDS[name])}
    if quick or not has_bf16(pick_device()):
        del passes["fp32_"]
    for prefix, (precision, seeds) in passes.items():
        runs = []
        for seed in range(1 if quick else seeds):
            changes = {"epochs": 1} if quick else {}
            runs.append(in_new_process(ONE_RUN.format(name=name, changes=changes, seed=seed, precision=precision)))
            print(f"  {name} %, precision {precision}, seed {seed}: {100 * runs[-1]['test_accuracy']:.2f} % after "
                  f"{runs[-1]['seconds']:.1f} s", flush=True)
        for key in ("seconds", "test_accuracy"):
            figures[f"time_to_{name}.{prefix}{key}"] = [run[key] for run in runs]
    return figures


TIMES = {f"time_to_{name}": partial(time_to, name) for name in FP32_SEEDS}


def limit(quick):
    """Multiply-adds a second of a run by recipe 92, as a share of this machine's matrix products at their fastest."""
    recipe, device = RECIPES["92"], pick_device()
    recipe = dataclasses.replace(recipe, epochs=1) if quick else recipe
    run = in_new_process(ONE_RUN.format(name="92", changes={"epochs": recipe.epochs}, seed=0, precision="auto"))
    rows = trace(build(dataclasses.replace(recipe, mirror=False)), (1, 1, recipe.size, recipe.size))
    # Once forward, and twice backward, towards weights and towards inputs; the pictures need no gradient.
    work = (3 * rows.macs - next(row.macs for row in rows if row.macs)) * recipe.epochs * run["images"]
    precision = "bf16" if has_bf16(device) else "fp32"
    rate = matmul_speed(precision, device, seconds=0.3 if quick else 3) * 1e9 / 2  # a multiply-add counts as two there
    return {"limit.multiply_adds_per_second": work / run["seconds"], "limit.matrix_product": rate,
            "limit.share": work / run["seconds"] / rate}
