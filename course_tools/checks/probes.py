"""What is done with a student's answer where the reply is not simply what the function returns.

No right reply can be had from here: these functions run beside the student's code.
"""

import torch
from torch import nn

from course_lib import vgg
from course_tools.checks.nets import describe, fill

SHALLOW = ((1, 4), (1, 6), (2, 8), (2, 8))
DEEP = ((2, 4), (2, 6), (3, 8), (3, 8))


def float_kernel(answer, down, right):
    """The kernel, which F.conv2d takes only in the numbers of the picture."""
    kernel = answer(down, right)
    if isinstance(kernel, torch.Tensor) and not kernel.is_floating_point():
        raise TypeError(f"a kernel for F.conv2d has to be float, this one is {kernel.dtype}")
    return kernel


def measured(answer, net, n):
    """The net of these layers, with positive weights."""
    modules = [nn.Conv2d(1, 1, kernel, stride, padding, bias=False) for kernel, stride, padding in net]
    for module in modules:
        nn.init.constant_(module.weight, 1 / module.weight.numel())
    return answer(nn.Sequential(*modules), n)


def alexnet_from(answer, rows, in_channels, num_classes, input_size, hidden):
    """What the net is that the student's function builds."""
    return describe(
        answer, (rows, in_channels, num_classes, input_size, hidden), (2, in_channels, input_size, input_size)
    )


def vgg_block(answer, num_convs, in_channels, out_channels):
    return describe(answer, (num_convs, in_channels, out_channels), (2, in_channels, 16, 16))


def vgg_net(answer, conv_arch, in_channels, num_classes, input_size, hidden):
    shape = (2, in_channels, input_size, input_size)
    return describe(answer, ([tuple(row) for row in conv_arch], in_channels, num_classes, input_size, hidden), shape)


def vgg_c(answer, width, hidden, num_classes, input_size):
    return describe(answer, (width, hidden, num_classes, input_size), (2, 3, input_size, input_size))


def start(answer, hidden, num_classes):
    """The net, and whether its units begin with weights of their own."""
    weights = [parameter for parameter in answer(hidden, num_classes).parameters() if parameter.dim() > 1]
    varied = all(bool(weight.std() > 1e-3) for weight in weights)
    return {"weights begin": "different" if varied else "all the same"} | describe(
        answer, (hidden, num_classes), (3, 1, 8, 8)
    )


def trained(answer, weight, batches, lr):
    """One linear layer with these weights, trained by the student's loop."""
    net = nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        net.weight.copy_(weight)
    result = answer(net, [tuple(batch) for batch in batches], lr)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(f"a pair (mean loss, accuracy) is expected, came {type(result).__name__}")
    loss, accuracy = (float(value) for value in result)
    return {"weights": net.weight, "loss": loss, "accuracy": accuracy}


def borrowed(answer, width):
    """Which layer of a shallower net each of a deeper net's is after the student's function has run."""
    nets = []
    for arch, seed in ((DEEP, 3), (SHALLOW, 4)):
        nets.append(vgg([(convs, channels * width) for convs, channels in arch], input_size=16, hidden=8))
        torch.manual_seed(seed)
        with torch.no_grad():
            fill(nets[-1])
            for parameter in nets[-1].parameters():
                parameter += seed
    net, source = nets
    unlike = {name: value.clone() for name, value in net.state_dict().items()}
    result = answer(net, source)
    net = result if isinstance(result, nn.Module) else net
    sources, state = source.state_dict(), {}
    for name, value in net.state_dict().items():
        like = [place for place, other in sources.items() if torch.equal(value, other)]
        left = "left alone" if torch.equal(value, unlike[name]) else "changed"
        state[name] = f"the source's {like[0]}" if like else left
    return state | {"source afterwards": sum(value.sum().item() for value in sources.values())}


def twice(answer, X, p, training):
    """Two calls, because chance should differ from one to the next."""
    return [answer(X.clone(), p, training), answer(X.clone(), p, training)]


def run_block(answer, X, c_in, c_out, stride):
    """The student's forward with these layers; a shortcut of its own where the shape changes."""
    conv1, conv2 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
    shortcut = None if c_in == c_out and stride == 1 else nn.Conv2d(c_in, c_out, 1, stride, bias=False)
    layers = nn.ModuleList(
        [conv1, nn.BatchNorm2d(c_out), conv2, nn.BatchNorm2d(c_out), shortcut or nn.Identity()]
    ).eval()
    with torch.no_grad():
        fill(layers)
        return answer(X, *layers[:4], shortcut)


def ask_score(answer, image, weights, size, grey):
    """`score(image)` is a fixed function of all pixels; the image must come back as it was."""
    before = image.clone()
    drops = answer(lambda X: (X * weights).sum().tanh() + (X * weights).sum(), image, size, grey)
    return {"map": drops, "image afterwards": "unchanged" if torch.equal(before, image) else "changed"}


PROBES = {  # by the exercise's name; every other answer is called with the question's values
    "shift_kernel": float_kernel,
    "measured_field": measured,
    "alexnet_from": alexnet_from,
    "vgg_block": vgg_block,
    "vgg": vgg_net,
    "vgg_c": vgg_c,
    "classifier": start,
    "train_epoch": trained,
    "borrow": borrowed,
    "dropout": twice,
    "residual": run_block,
    "occlusion_map": ask_score,
}
