"""Exercises of lesson 2: the recurrence, what a stack costs, a field measured by gradient, how deep to look."""

import torch

from course_tools.checks.exercise import Exercise

VGG_D = [
    (f"pool {block}", 2, 2) if number == count else (f"conv {block}.{number + 1}", 3, 1)
    for block, count in enumerate((2, 2, 3, 3, 3), 1)
    for number in range(count + 1)
]


def layers(generator, count):
    """`count` layers as (kernel, stride, padding), no stride longer than its kernel."""
    kernels = torch.randint(1, 6, (count,), generator=generator).tolist()
    strides = torch.randint(1, 3, (count,), generator=generator).tolist()
    return [(kernel, min(stride, kernel), kernel // 2) for kernel, stride in zip(kernels, strides)]


def field_questions(generator):
    fixed = [[(3, 1, 1), (3, 1, 1)], [(11, 4, 0), (3, 2, 0), (5, 1, 2)], [(3, 1, 0), (2, 2, 0), (3, 1, 1), (2, 2, 0)]]
    return [(net,) for net in (*fixed, layers(generator, 4), layers(generator, 6))]


def receptive_field(net, jump_first=False, flat=False, start_jump=True, product=True, start_last=False):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in net:
        start -= padding * (jump * (stride if start_last else 1) if start_jump else 1)
        if jump_first:
            jump *= stride
        size += (kernel - 1) * (1 if flat else jump)
        if not jump_first:
            jump = jump * stride if product else stride
    return [size, jump, start]


def stack_questions(generator):
    return [(5, 64), (7, 512), (3, 16), (11, *torch.randint(2, 99, (1,), generator=generator).tolist()), (9, 1)]


def stack(size, channels):
    convolutions = (size - 1) // 2
    return [convolutions, size * size * channels**2, convolutions * 9 * channels**2]


def measured_questions(generator):
    """Nets, and a picture for each that is large enough for a unit away from the edge."""
    fields = [(net, *receptive_field(net)) for (net,) in field_questions(generator)]
    return [(net, 2 * (size - start) + 8 * jump + 5) for net, size, jump, start in fields]


def by_gradient(net, n, pick=lambda Y: Y[..., Y.shape[2] // 2, Y.shape[3] // 2], count=None):
    X = torch.ones(1, 1, n, n, requires_grad=True)
    pick(net(X)).sum().backward()
    if count is not None:
        return count(X.grad[0, 0])
    rows = X.grad[0, 0].abs().sum(1).nonzero().flatten()
    return (rows.max() - rows.min() + 1).item()


def deep_questions(generator):
    fixed = [(VGG_D, 3), (VGG_D, 10), (VGG_D, 41), (VGG_D, 200)]
    net = [(f"layer {number}", kernel, stride) for number, (kernel, stride, _) in enumerate(layers(generator, 6), 1)]
    last = receptive_field([(kernel, stride, 0) for _, kernel, stride in net])[0]
    return [*fixed, (net, last - 1), (net, max(2, last // 2))]


def first_to_see(net, pixels, enough=lambda size, pixels: size >= pixels, late=False, **mistake):
    for number in range(1, len(net) + 1):
        seen = net[: number - 1] if late else net[:number]
        if enough(receptive_field([(kernel, stride, 0) for _, kernel, stride in seen], **mistake)[0], pixels):
            return net[number - 1][0]
    return None


def number_of(net, pixels):
    return [name for name, _, _ in net].index(first_to_see(net, pixels))


EXERCISES = [
    Exercise(
        "receptive_field",
        field_questions,
        "size, jump and start, each carried from layer to layer.",
        right=receptive_field,
        mistakes=(
            (
                lambda net: receptive_field(net, flat=True),
                "the size grows by k − 1 in every layer. It grows by k − 1 *jumps*, once a "
                "stride has made neighbours lie further apart.",
            ),
            (
                lambda net: receptive_field(net, jump_first=True),
                "the jump is multiplied too early. A layer's stride moves the units "
                "*behind* it apart; its own window still steps by the old jump.",
            ),
            (
                lambda net: receptive_field(net, jump_first=True, start_last=True),
                "the jump is multiplied too early. A layer's stride moves the units behind it apart; its own window and "
                "its own padding still count in the old jump.",
            ),
            (
                lambda net: receptive_field(net, start_last=True),
                "size and jump are right. For the start, too, use the jump from *before* this layer.",
            ),
            (
                lambda net: receptive_field(net, start_jump=False),
                "size and jump are right. A padding of p is p units of the layer "
                "*before*, and those lie a jump apart: start moves by p · jump.",
            ),
            (
                lambda net: [receptive_field(net)[0], receptive_field(net)[1], -receptive_field(net)[2]],
                "start has the wrong sign: padding puts the first window's first pixel *outside*, below zero.",
            ),
            (lambda net: receptive_field(net)[0], "only the size. Give back three numbers: size, jump, start."),
            (
                lambda net: [sum(kernel for kernel, _, _ in net), *receptive_field(net)[1:]],
                "kernels added up. Windows overlap: each layer adds k − 1 jumps.",
            ),
            (
                lambda net: receptive_field(net, product=False),
                "the jump is the last layer's stride. It is the product of all strides so far.",
            ),
        ),
    ),
    Exercise(
        "stack",
        stack_questions,
        "from 5×5 on, the stack is cheaper: 18 weights against 25, 27 against 49.",
        right=stack,
        mistakes=(
            (
                lambda size, c: [size // 3, size**2 * c**2, size // 3 * 9 * c**2],
                "windows overlap, so that 3×3 layers do not lie side "
                "by side: the first sees 3, each further one 2 more.",
            ),
            (
                lambda size, c: [stack(size, c)[0], *(weights // c for weights in stack(size, c)[1:])],
                "c kernels, and each has a slice for every one of the c channels: c² kernels of k×k.",
            ),
            (
                lambda size, c: [stack(size, c)[0], *(weights // c**2 for weights in stack(size, c)[1:])],
                "weights of a single kernel; there are c · c of them.",
            ),
            (lambda size, c: [*stack(size, c)[:2], 9 * c**2], "the stack's weights are those of all its layers."),
            (
                lambda size, c: [stack(size, c)[0], size**2 * c**2 + c, stack(size, c)[0] * (9 * c**2 + c)],
                "weights and biases. Here the biases are left out.",
            ),
            (
                lambda size, c: [stack(size, c)[0] + 1, size**2 * c**2, (stack(size, c)[0] + 1) * 9 * c**2],
                "one layer too many: the first already sees 3.",
            ),
        ),
    ),
    Exercise(
        "measured_field",
        measured_questions,
        "gradients and recurrence agree to the pixel.",
        right=by_gradient,
        mistakes=(
            (
                lambda net, n: by_gradient(net, n, lambda Y: Y[..., 0, 0]),
                "a corner's window is cut off by the edge of the picture. Ask a unit in the middle.",
            ),
            (
                lambda net, n: by_gradient(net, n, lambda Y: Y),
                "the gradient of *all* units. Sum over one of them only.",
            ),
            (
                lambda net, n: by_gradient(net, n, count=lambda grad: int((grad != 0).sum())),
                "the number of pixels in the window: its area. The field is its side.",
            ),
            (lambda net, n: net(torch.ones(1, 1, n, n)).shape[-1], "the size of the output map."),
            (
                lambda net, n: by_gradient(net, n, lambda Y: Y[..., n // 2, n // 2]),
                "n // 2 is the middle of the picture. The output is smaller: take the middle of its own shape.",
            ),
            (lambda net, n: by_gradient(net, n) - 1, "last minus first. From row 3 to row 5 there are three rows."),
        ),
    ),
    Exercise(
        "first_to_see",
        deep_questions,
        "in VGG-D it takes until the last block to see the width of a 200-pixel face.",
        right=first_to_see,
        mistakes=(
            (
                lambda net, pixels: first_to_see(net, pixels, flat=True),
                "you let every layer add k − 1. After a pooling each adds twice as much.",
            ),
            (
                lambda net, pixels: first_to_see(net, pixels, enough=lambda size, pixels: size > pixels),
                "a window of exactly that many pixels is enough: ≥, not >.",
            ),
            (
                lambda net, pixels: first_to_see(net, pixels, late=True),
                "compared before the layer has widened the window: first add what it adds, then compare.",
            ),
            (number_of, "a number. Give back the layer's *name*, the first item of its row."),
            (
                lambda net, pixels: net[max(0, number_of(net, pixels) - 1)][0],
                "one layer too early: this one sees fewer.",
            ),
            (
                lambda net, pixels: net[min(len(net) - 1, number_of(net, pixels) + 1)][0],
                "one layer too late. Compare after you have added what the layer adds, and give back its own name.",
            ),
            (
                lambda net, pixels: first_to_see(net, pixels, jump_first=True),
                "the jump is multiplied too early: a layer's stride counts for the layers behind it.",
            ),
            (lambda net, pixels: net[-1][0], "always the last layer. Stop at the first that sees enough."),
        ),
    ),
]
