"""The lessons' interactive figures: HTML, CSS and JavaScript that need neither a kernel nor a network.

    from course_tools.interactive import field_explorer
    field_explorer()

The last line of a cell shows a figure, and the notebook stores it whole. It then works in JupyterLab, in Colab and
on the course's pages; where scripts don't run, a still picture says the same. Each figure is one `.js` file here
(two for the largest) behind `shared.js` and `shared.css`. What a file calculates stands apart from what it draws,
and the tests compare it with course_lib. After a change, `python -m course_tools.interactive` makes the stills anew.
"""

from .page import Figure, photograph_uri


def convolution_stepper():
    """Lesson 1: a kernel slides over a small picture, and each sum is written out.

    >>> convolution_stepper()
    Interactive figure: a kernel slides over a small picture
    """
    return Figure(
        "convolution-stepper", ["stepper.js"], {}, title="a kernel slides over a small picture",
        alt="A picture of 7 by 7 numbers with a frame of zeros, a 3 by 3 kernel and the output. The nine cells under the "
        "kernel are marked, their nine products with the weights are written out, and the sum is the marked output.")


def pooling_shift():
    """Lesson 1: a picture moves by a pixel, and what becomes of a convolution and of two poolings.

    >>> pooling_shift()
    Interactive figure: a picture moves by a pixel
    """
    return Figure(
        "pooling-shift", ["pooling.js"], {}, title="a picture moves by a pixel",
        alt="A small picture of a cat's eye, moved to the right by one pixel, its convolution, and the maxima and the "
        "means of 2 by 2 outputs. Dots mark what changed. The moved convolution agrees everywhere with the unmoved one, "
        "moved along; the two poolings with stride 2 agree with no moved copy.")


def field_explorer():
    """Lesson 2: layers in, window, jump and start out, drawn over the photograph.

    >>> field_explorer()
    Interactive figure: what a unit sees of the photograph
    """
    return Figure(
        "field-explorer", ["field.js", "field_view.js"], {"photograph": photograph_uri()},
        title="what a unit sees of the photograph",
        alt="The photograph of a cat's eye with the window that one unit behind VGG-D's fourth pooling sees, and the "
        "table of all layers with kernel, stride, padding, units, window, jump and start. The last window measures 212 "
        "pixels, and the next unit's begins 32 pixels further on.")


def cost_calculator():
    """Lesson 4: blocks and widths in, shapes, parameters, multiply-adds and memory out.

    >>> cost_calculator()
    Interactive figure: what a VGG costs
    """
    return Figure(
        "cost-calculator", ["cost.js", "cost_view.js"], {}, title="what a VGG costs",
        alt="Three bars for VGG-D at 224 pixels: the head, three linear layers, holds 89 per cent of the parameters, needs "
        "less than one per cent of the multiply-adds and gives out next to none of the numbers. A table below lists every "
        "layer.")


def run_explorer():
    """Lesson 5: the recorded runs of the experiments on initial weights and on learning rates.

    The runs are read when the figure is shown; `FileNotFoundError` where they were deleted.

    >>> run_explorer()
    Interactive figure: the recorded runs, epoch by epoch
    """
    from ..recorded import load_runs  # imports torch, which the other figures don't need

    experiments = {}
    for name in ("initialisation", "learning_rate"):
        runs = load_runs(name)
        experiments[name] = {
            "question": runs.question,
            "arms": {arm: {key: runs.of(arm, key) for key in ("valid_accuracy", "train_loss")} for arm in runs.arms}}
    return Figure(
        "run-explorer", ["runs.js"], experiments, title="the recorded runs, epoch by epoch",
        alt="Validation accuracy over two epochs of a net of fifteen layers, for seven initialisations with three runs "
        "each. The default and the normal distribution of 0.01 stay at one in ten, Kaiming and batch norm leave it in "
        "the first epoch. A table lists each arm's lowest, mean and highest final value.")
