"""What README and the site say of the bench, made from its figures alone: no number is typed."""

import json

from .measure import REPOSITORY
from .table import mean
from .tracing import CLASSIC, NETS

BEGIN, END = "<!-- bench: made by `python -m course_tools bench` -->", "<!-- end of bench -->"
HEAD = ["| what | here | beside it | ratio |", "|---|---|---|--:|"]


def write_pages(figures, repository=REPOSITORY):
    """Write README's table, docs/bench.md and docs/bench_growth.png from the figures of a whole run."""
    readme = repository / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    if END not in rest:
        raise ValueError(f"{readme} has no place for the table: it needs the lines {BEGIN} and {END}")
    readme.write_text(before + readme_part(figures) + rest.partition(END)[2], encoding="utf-8")
    (repository / "docs" / "bench.md").write_text(page(figures), encoding="utf-8")
    draw_growth(figures).savefig(repository / "docs" / "bench_growth.png", metadata={"Comment": growth_figures(figures)})


def readme_part(figures):
    """Return README's table, between its two marks."""
    rows = [f"| {what} | {here} | {beside} | {ratio} |" for what, here, beside, ratio, _ in lines(figures)]
    machine = f"On {figures['machine']}, torch {figures['versions']['torch']}, {figures['date']}."
    return "\n".join([BEGIN, "", *HEAD, *rows, "", machine, END])


def lines(figures):
    """Return the comparisons as (what, here, beside it, ratio, how to read it)."""
    def f(name):
        return mean(figures[name])

    book = f"the book's recipe: {_time(f('book.projected_seconds'))}, projected from {f('book.batches')} batches"
    rows = []
    for goal in ("92", "93", "94"):
        prefix, runs = f"time_to_{goal}", len(figures[f"time_to_{goal}.seconds"])
        accuracies = figures[f"{prefix}.test_accuracy"]
        reached = mean(accuracies) >= int(goal) / 100
        here = f"{_time(f(prefix + '.seconds'))}, {100 * mean(accuracies):.2f} % (mean of {runs} seeds)"
        reading = f"From {100 * min(accuracies):.2f} to {100 * max(accuracies):.2f} %. "
        reading += "" if reached else f"**The mean stays below {goal} %.** "
        if f"{prefix}.fp32_seconds" in figures:
            reading += (f"In 32 bits: {_time(f(prefix + '.fp32_seconds'))}, {100 * f(prefix + '.fp32_test_accuracy'):.2f} % "
                        f"({_seeds(figures[prefix + '.fp32_seconds'])}).")
        rows.append((f"recipe {goal}", here, book if goal == "92" else "the same",
                     f"1/{1 / f(prefix + '.share_of_book'):,.0f}", reading))
    for other, key, name in [("the plain loop", "plain", "ratio"), ("d2l's Trainer", "d2l", "ratio_to_d2l"),
                             ("Lightning's Trainer", "lightning", "ratio_to_lightning")]:
        ratio = f(f"same_work.{name}")
        rows.append(("`fit`, the same work", f"{f('same_work.fit'):,.0f} images/s",
                     f"{other}: {f(f'same_work.{key}'):,.0f}", f"{ratio:.2f}", _verdict(ratio)))
    for size in (28, 96, 224):
        ratio = f(f"data.{size}.ratio")
        rows.append((f"batches at {size} pixels", f"{f(f'data.{size}.ours'):,.0f} images/s",
                     f"d2l's loader, four workers: {f(f'data.{size}.d2l'):,.0f}", f"{ratio:.1f}", _verdict(ratio)))
    for other in ("torchinfo", "torchscan"):
        worst = max(CLASSIC, key=lambda net: figures[f"trace.{net}.ratio_to_{other}"])
        middle = f(f"trace.median_ratio_to_{other}")
        slower = [net for net in NETS if figures[f"trace.{net}.ratio_to_{other}"] > 1]
        reading = f"Over all {len(NETS)} nets the median is {middle:.2f}. "
        reading += f"**Slower than {other} on {', '.join(slower)}.**" if slower else "Slower on none."
        rows.append(("`trace`, worst of AlexNet and VGG", f"{f(f'trace.{worst}.seconds'):.3f} s on {worst}",
                     f"{other}: {f(f'trace.{worst}.{other}_seconds'):.3f} s",
                     f"{f(f'trace.{worst}.ratio_to_{other}'):.2f}", reading))
    right = sum(figures[f"trace.{net}.field_right"] for net in NETS)
    wrong = [net for net in NETS if not figures[f"trace.{net}.field_right"]]
    rows.append(("receptive fields as measured by gradient", f"{right} nets", f"of {len(NETS)}",
                 f"{right / len(NETS):.2f}", f"**Not on {', '.join(wrong)}.**" if wrong else
                 f"Every spatial layer of every net, {sum(figures[f'trace.{net}.layers'] for net in NETS):,} in all."))
    ratio = f("processes.ratio")
    rows.append(("two processes, one thread each", f"{f('processes.two'):,.0f} images/s",
                 f"one process, two threads: {f('processes.one'):,.0f}", f"{ratio:.2f}",
                 _verdict(ratio) + " Two processes share two cores here, and exchange gradients besides."))
    rows.append(("importing `course_lib`", f"{f('import.course_lib'):.2f} s", f"torch: {f('import.torch'):.2f} s",
                 f"{f('import.ratio'):.2f}", f"{f('import.cold'):.1f} s where nothing is compiled yet, after installing."))
    rows.append(("first load of the data", f"{f('first_load.warm'):.2f} s from memory",
                 f"{f('first_load.cold'):.2f} s from the disk", f"{f('first_load.warm') / f('first_load.cold'):.2f}",
                 "Reading, checking and unpacking four files; later calls in a process take none of it."))
    rows.append(("multiply-adds in recipe 92", f"{f('limit.multiply_adds_per_second') / 1e9:,.0f} billion/s",
                 f"matrix products: {f('limit.matrix_product') / 1e9:,.0f} billion/s", f"{f('limit.share'):.3f}",
                 "Small maps with few channels are limited by memory, not by arithmetic. Wider layers would use more "
                 "of the machine, and more seconds."))
    return rows


def page(figures):
    """Return the site's page."""
    rows = ["| what | here | beside it | ratio | how to read it |", "|---|---|---|--:|---|"]
    rows += [f"| {' | '.join(row)} |" for row in lines(figures)]
    nets = ["| net | seconds | torchinfo | torchscan | memory added, MB | spatial layers | fields right |",
            "|---|--:|--:|--:|--:|--:|---|"]
    for net in NETS:
        cells = [f"{figures[f'trace.{net}.{key}seconds']:.3f}" for key in ("", "torchinfo_", "torchscan_")]
        nets.append(f"| {net} | {' | '.join(cells)} | {figures[f'trace.{net}.megabytes']:.0f} "
                    f"| {figures[f'trace.{net}.layers']} | {'yes' if figures[f'trace.{net}.field_right'] else '**no**'} |")
    grown = ["| what grows | values | seconds | exponent |", "|---|---|---|--:|"]
    for what in ("size", "depth", "width", "batch", "processes"):
        values, times = (", ".join(f"{value:.4g}" for value in figures[f"growth.{what}.{key}"])
                         for key in ("values", "seconds"))
        grown.append(f"| {what} | {values} | {times} | {_exponent(figures, what)} |")
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return TEMPLATE.format(rows="\n".join(rows), nets="\n".join(nets), grown="\n".join(grown), versions=versions,
                           machine=figures["machine"], date=figures["date"])


TEMPLATE = """# How fast is it?

<!-- made by `python -m course_tools bench`; what is changed here by hand is lost -->

One run of `python -m course_tools bench` on {machine}, {date}: {versions}. Both sides of a comparison were measured in this run, in turns; figures are medians, those of the recipes means over seeds. Another machine gives other seconds and, we expect, similar ratios.

{rows}

The recipes are in `course_lib/recipes.py`; they were chosen on validation images, and each run read the test images once, after its last epoch. Their seconds include every training step and nothing before it. The book's recipe is VGG-A with a quarter of the channels, images blown up to 224 pixels, batch 128, ten epochs; d2l's Trainer takes its batches ready-made here, so the projection leaves out the loading. It is a projection: nobody waited.

*The same work* is one net, the same batches, the same optimizer, 32 bits; the four loops end with the same weights, bit for bit. d2l's Trainer draws nothing here, and keeps the loss alone; `fit` and Lightning keep the accuracy, too.

## Tracing a net

Each net in a process of its own, an image of 224×224 pixels. torchinfo and torchscan run the net; `trace` does not, so nets with few large layers gain most, and nets with hundreds of small ones least. *Fields right*: of every spatial layer, the window that `trace` computes is the one from which a gradient comes back.

{nets}

## How cost grows

Seconds of one training step, 32 bits; of four epochs over the same images for processes, with one thread each.

{grown}

![Five lines on logarithmic axes: seconds against how many times the smallest image size, depth, width, batch and number of processes. The line of image size is the steepest.](bench_growth.png)

An exponent of 1 means twice the seconds for twice as much, 2 four times. Image size is a side: the pixels grow with its square. Below 1, a step has work to share among more images or channels; above 1, something outgrows a cache. No straight line fits the processes: they help up to the number of cores, and hurt beyond it.
"""


def growth_figures(figures):
    """Return what the drawing shows, as the text that is kept in the picture's file."""
    return json.dumps({key: value for key, value in figures.items() if key.startswith("growth.")})


def draw_growth(figures):
    """Draw seconds against values, both relative to the first, on logarithmic axes."""
    from course_lib.plots import subplots

    fig, ax = subplots(height=4)
    for what in ("size", "depth", "width", "batch", "processes"):
        values, times = figures[f"growth.{what}.values"], figures[f"growth.{what}.seconds"]
        ax.plot([n / values[0] for n in values], [t / times[0] for t in times], marker="o",
                label=f"{what}, exponent {_exponent(figures, what)}")
    ax.set(xscale="log", yscale="log", xlabel="times the smallest value", ylabel="times its seconds",
           title="How a training step's seconds grow")
    ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.legend()
    return fig


def _exponent(figures, what):
    return f"{round(figures[f'growth.{what}.exponent'], 2) + 0:.2f}"  # never -0.00


def _time(seconds):
    """Return seconds as a reader says them.

    >>> _time(9.46), _time(300), _time(10_900)
    ('9.5 s', '5.0 minutes', '3.0 hours')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _seeds(runs):
    return f"{len(runs)} seed{'s' if len(runs) > 1 else ''}"


def _verdict(ratio):
    """Return in a word how a rate compares: level within three per cent."""
    return "Level." if abs(ratio - 1) <= 0.03 else "Faster." if ratio > 1 else "**We lose.**"
