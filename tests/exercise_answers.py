"""Answers to the exercises: for each a second right one, and wrong ones, made by a slip in the solution's code.

A wrong answer is (what the solution says, what it says with the slip, a part of the hint that has to come), or a whole
function in place of the first two.
"""

ANSWERS_0_TO_4 = {
    "softmax": (
        "def softmax(scores):\n    return torch.stack([torch.log_softmax(row, 0).exp() for row in scores])",
        [
            ("(scores - scores.max(1, keepdim=True).values)", "scores", "overflows"),
            ("scores.max(1, keepdim=True).values", "scores.max()", "*own*"),
            ("exponentials.sum(1, keepdim=True)", "exponentials.sum(0, keepdim=True)", "*column*"),
            ("exponentials.sum(1, keepdim=True)", "exponentials.sum(1, keepdim=True).sum()", "whole table"),
            ("def softmax(scores):\n    return scores.log_softmax(1)", None, "logarithms"),
            ("def softmax(scores):\n    return scores / scores.sum(1, keepdim=True)", None, "without exponentials"),
        ],
    ),
    "first_loss": (
        "def first_loss(num_classes):\n    return F.cross_entropy(torch.zeros(1, num_classes), torch.tensor([0]))",
        [
            ("math.log(", "math.log2(", "base 2"),
            ("math.log(", "math.log10(", "base 10"),
            ("math.log(num_classes)", "math.log(1 / num_classes)", "*minus*"),
            ("math.log(num_classes)", "1 / num_classes", "probability of the right class"),
            ("math.log(num_classes)", "2.3025850929940457", "same reply to every question"),
        ],
    ),
    "gradient": (
        "def gradient(X, y, W):\n"
        "    W = W.clone().requires_grad_()\n"
        "    return torch.autograd.grad(F.nll_loss((X @ W).log_softmax(1), y), W)[0]",
        [
            (" / len(y)", "", "*sum*"),
            ("X.T @ too_high", "-X.T @ too_high", "downhill"),
            ("-= 1  ", "-= 0  ", "right class is missing"),
            (".softmax(1)", "", "softmax first"),
            ("X.T @ too_high", "too_high.T @ X", "transposed"),
        ],
    ),
    "corr2d": (
        "def corr2d(X, K):\n"
        "    rows = range(X.shape[0] - K.shape[0] + 1)\n"
        "    windows = X.unfold(0, K.shape[0], 1).unfold(1, K.shape[1], 1)\n"
        "    return torch.stack([(windows[row] * K).sum((1, 2)) for row in rows])",
        [
            (" * K)", " * K.flip(0, 1))", "turned around"),
            ("X.shape[0] - h + 1, X.shape[1] - w + 1", "X.shape[0] - h, X.shape[1] - w", "one row and one column"),
            (" * K).sum()", ").sum()", "Multiply by the kernel"),
            (" * K).sum()", " * K).mean()", "sum"),
            ("X.shape[0] - h + 1, X.shape[1] - w + 1", "X.shape[1] - w + 1, X.shape[0] - h + 1", "X's height goes with"),
        ],
    ),
    "output_size": (
        "def output_size(n, k, padding=0, stride=1):\n    return len(range(-padding, n + padding - k + 1, stride))",
        [
            ("(n + 2 * padding - k) // stride + 1", "-(-(n + 2 * padding - k) // stride) + 1", "rounded up"),
            (" // stride + 1", " // stride", "one too few"),
            ("(n + 2 * padding - k) // stride", "round((n + 2 * padding - k) / stride)", "rounded to the nearest"),
            ("2 * padding", "padding", "both sides"),
            ("//", "/", "whole number"),
            ("- k) // stride + 1", "- k + 1) // stride", "after the division"),
        ],
    ),
    "conv_by_matmul": (
        "def conv_by_matmul(X, W, padding):\n"
        "    X, k = F.pad(X, [padding] * 4), W.shape[-1]\n"
        "    return torch.einsum('bchwij,mcij->bmhw', X.unfold(2, k, 1).unfold(3, k, 1), W)",
        [
            (", padding=padding)", ")", "the columns do not"),
            (".reshape(len(X), len(W), height, width)", "", "in one row"),
            ("W.flatten(1)", "W.reshape(-1, len(W)).T", "wrong order"),
            ("height, width)", "width, height)", "swapped"),
            ("def conv_by_matmul(X, W, padding):\n    return F.conv2d(X, W)", None, "padding is missing"),
        ],
    ),
    "max_pool2d": (
        "def max_pool2d(X, size, stride):\n    return X.unfold(0, size, stride).unfold(1, size, stride).amax((2, 3))",
        [
            (".max()", ".mean()", "mean"),
            (".max()", ".min()", "smallest"),
            (".max()", ".max().clamp(min=0)", "largest is negative"),
            ("row * stride, column * stride", "row, column", "stride"),
            ("def max_pool2d(X, size, stride):\n    return F.max_pool2d(X[None], size)[0]", None, "ignored"),
        ],
    ),
    "shift_kernel": (
        "def shift_kernel(down, right):\n"
        "    unit = torch.zeros(1, 1, 3, 3)\n    unit[0, 0, 1, 1] = 1\n    return unit[0, 0].roll((-down, -right), (0, 1))",
        [
            ("1 - down, 1 - right", "1 + down, 1 + right", "other way"),
            ("1 - down, 1 - right", "1 - right, 1 - down", "swapped"),
            ("1 - down, 1 - right", "1 + right, 1 + down", "reversed"),
            ("1 - down, 1 - right", "1, 1", "moves nothing"),
        ],
    ),
    "receptive_field": (
        "def receptive_field(layers):\n"
        "    size, jump, start = 1, 1, 0\n"
        "    for kernel, stride, padding in reversed(layers):\n"
        "        size = (size - 1) * stride + kernel\n"
        "    for kernel, stride, padding in layers:\n"
        "        start, jump = start - padding * jump, jump * stride\n"
        "    return [size, jump, start]",
        [
            ("(kernel - 1) * jump", "kernel - 1", "*jumps*"),
            ("padding * jump", "padding", "jump apart"),
            ("start -= ", "start += ", "wrong sign"),
            ("return size, jump, start", "return size", "three numbers"),
            ("jump *= stride", "jump = stride", "product of all strides"),
        ],
    ),
    "stack": (
        "def stack(size, channels):\n"
        "    layers = len(range(3, size + 1, 2))\n"
        "    return layers, (size * channels) ** 2, layers * (3 * channels) ** 2",
        [
            ("(size - 1) // 2", "size // 3", "overlap"),
            ("channels ** 2", "channels", "c²"),
            (", layers * 9 * channels ** 2", ", 9 * channels ** 2", "all its layers"),
            ("(size - 1) // 2", "(size + 1) // 2", "too many"),
        ],
    ),
    "measured_field": (
        "def measured_field(net, n):\n"
        "    X = torch.ones(1, 1, n, n, requires_grad=True)\n"
        "    Y = net(X)\n"
        "    grad = torch.autograd.grad(Y[0, 0].diagonal()[Y.shape[2] // 2], X)[0]\n"
        "    return int((grad.sum((0, 1, 3)) > 0).sum())",
        [
            ("Y[0, 0, Y.shape[2] // 2, Y.shape[3] // 2]", "Y[0, 0, 0, 0]", "corner"),
            ("Y[0, 0, Y.shape[2] // 2, Y.shape[3] // 2]", "Y.sum()", "*all* units"),
            ("rows.max() - rows.min() + 1", "rows.max() - rows.min()", "three rows"),
            ("(rows.max() - rows.min() + 1).item()", "int((X.grad != 0).sum())", "area"),
            ("(rows.max() - rows.min() + 1).item()", "Y.shape[-1]", "output map"),
        ],
    ),
    "first_to_see": (
        "def first_to_see(layers, pixels):\n"
        "    from math import prod\n"
        "    sizes = [1 + sum((k - 1) * prod(s for _, _, s in layers[:i]) for i, (_, k, _) in enumerate(layers[:n + 1]))\n"
        "             for n in range(len(layers))]\n"
        "    return next(name for (name, _, _), size in zip(layers, sizes) if size >= pixels)",
        [
            ("(kernel - 1) * jump", "kernel - 1", "let every layer"),
            (">= pixels", "> pixels", "is enough"),
            ("return name", "return layers.index((name, kernel, stride))", "a number"),
            ("return name", "return layers[-1][0]", "last layer"),
            ("return name", "return layers[max(0, [layer[0] for layer in layers].index(name) - 1)][0]", "too early"),
        ],
    ),
    "alexnet_from": (
        "class alexnet_from(nn.Module):\n"
        "    def __init__(self, rows, in_channels, num_classes, input_size, hidden):\n"
        "        super().__init__()\n"
        "        self.convs, self.rows = nn.ModuleList(), rows\n"
        "        for channels, kernel, stride, padding, pooled in rows:\n"
        "            self.convs.append(nn.Conv2d(in_channels, channels, kernel, stride, padding))\n"
        "            in_channels = channels\n"
        "        sizes = (self.look(torch.zeros(1, self.convs[0].in_channels, input_size, input_size)).numel(), hidden, hidden)\n"
        "        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, (hidden, hidden, num_classes)))\n"
        "        self.drop = nn.Dropout(0.5)\n"
        "    def look(self, X):\n"
        "        for conv, row in zip(self.convs, self.rows):\n"
        "            X = conv(X).relu()\n"
        "            X = F.max_pool2d(X, 3, 2) if row[-1] else X\n"
        "        return X.flatten(1)\n"
        "    def forward(self, X):\n"
        "        X = self.look(X)\n"
        "        for layer in self.head[:-1]:\n"
        "            X = self.drop(layer(X).relu())\n"
        "        return self.head[-1](X)",
        [
            ("nn.Linear(hidden, num_classes)]", "nn.Linear(hidden, num_classes), nn.Softmax(1)]", "softmax"),
            ("nn.Linear(hidden, num_classes)]", "nn.Linear(hidden, num_classes), nn.ReLU()]", "ReLU behind the last"),
            ("nn.Dropout(0.5)", "nn.Dropout(0.0)", "dropout is missing"),
            ("nn.Conv2d(in_channels, channels, kernel, stride, padding), nn.ReLU()]", "nn.Conv2d(in_channels, channels, kernel, stride, padding)]",
             "behind the convolutions"),
            ("if pooled:", "if False:", "no row is pooled"),
            ("nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5), ", "", "two linear layers"),
        ],
    ),
    "first_error": (
        "def first_error(walk, n):\n"
        "    for name, kernel, stride, padding, written in walk:\n"
        "        height = len(range(-padding, n + padding - kernel + 1, stride))\n"
        "        if height - written:\n"
        "            return [name, height]\n"
        "        n = height",
        [
            ("return name, height", "return name, written", "*writes*"),
            ("return name, height", "return name", "name alone"),
            ("2 * padding", "padding", "both sides"),
            ("(n + 2 * padding - kernel) // stride", "-(-(n + 2 * padding - kernel) // stride)", "rounded up"),
            ("return name, height", "return [row[0] for row in walk].index(name), height", "row number"),
        ],
    ),
    "lrn": (
        "def lrn(X, size, k, alpha, beta):\n    return nn.LocalResponseNorm(size, alpha * size, beta, k)(X)",
        [
            ("alpha * total", "alpha / size * total", "divided by the size"),
            (" ** 2).sum(1)", ").sum(1)", "*squares*"),
            ("X[:, max(0, i - size // 2):i + size // 2 + 1]", "X", "*all* channels"),
            ("max(0, i - size // 2):i + size // 2 + 1", "max(0, i - size + 1):i + 1", "ends at the channel"),
            ("X / (k", "X * (k", "multiplied"),
            ("max(0, i - size // 2)", "i - size // 2", "below zero"),
            ("i + size // 2 + 1", "i + size // 2", "one channel short"),
        ],
    ),
    "cost": (
        "def cost(c_in, c_out, kernel, side, groups=1):\n"
        "    conv = nn.Conv2d(c_in, c_out, kernel, groups=groups, bias=False, device='meta')\n"
        "    return [conv.weight.numel(), conv.weight.numel() * side * side]",
        [
            ("c_in // groups", "c_in", "no groups"),
            ("weights * side ** 2", "weights * side", "not side"),
            ("weights * side ** 2", "weights", "counted once"),
            ("kernel ** 2", "kernel", "k × k"),
            ("return weights,", "return weights + c_out,", "biases"),
        ],
    ),
    "vgg_block": (
        "def vgg_block(num_convs, in_channels, out_channels):\n"
        "    sizes = [in_channels] + [out_channels] * num_convs\n"
        "    pairs = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Conv2d(a, b, 3, padding='same'), nn.ReLU())]\n"
        "    return nn.Sequential(nn.Sequential(*pairs), nn.MaxPool2d(2, 2))",
        [
            (", nn.ReLU()]", "]", "no ReLU"),
            (", padding=1", "", "without padding"),
            (", nn.MaxPool2d(2))", ")", "pooling at the end is missing"),
            ("        in_channels = out_channels\n", "", "in_channels = out_channels in the loop"),
            ("nn.MaxPool2d(2)", "nn.MaxPool2d(2, 1)", "stride 1"),
        ],
    ),
    "vgg": (
        "def vgg(conv_arch, in_channels, num_classes, input_size, hidden):\n"
        "    from course_lib import vgg\n"
        "    return vgg(conv_arch, in_channels=in_channels, num_classes=num_classes, input_size=input_size, hidden=hidden)",
        [
            ("input_size // 2 ** len(conv_arch)", "7", "7×7"),
            ("input_size // 2 ** len(conv_arch)", "round(input_size / 2 ** len(conv_arch))", "odd row"),
            ("nn.Linear(hidden, num_classes)]", "nn.Linear(hidden, num_classes), nn.ReLU()]", "negative"),
            ("nn.Linear(hidden, num_classes)]", "nn.Linear(hidden, num_classes), nn.Softmax(1)]", "softmax"),
            ("nn.Dropout(0.5)", "nn.Identity()", "dropout is missing"),
            ("vgg_block(num_convs,", "vgg_block(1,", "one convolution in every block"),
        ],
    ),
    "vgg_c": (
        "def vgg_c(width, hidden, num_classes, input_size):\n"
        "    from course_lib import VGG_CONFIGS, vgg\n"
        "    arch = [(row[0], row[1] // 64 * width, *row[2:]) for row in VGG_CONFIGS['C']]\n"
        "    return vgg(arch, in_channels=3, num_classes=num_classes, input_size=input_size, hidden=hidden)",
        [
            ("(3, 3, 1)", "(3, 3, 3)", "this is D"),
            ("(3, 3, 1)", "(3, 3)", "this is B"),
            ("(3, 3, 1)", "(1, 3, 3)", "*last*"),
            ("((3, 3), 1), ((3, 3), 2)", "((3, 3, 1), 1), ((3, 3, 1), 2)", "first two have none"),
            ("(3, 3, 1), 8))", "(3, 3, 1), 16))", "stop doubling"),
        ],
    ),
    "parameters": (
        "def parameters(conv_arch, in_channels, num_classes, input_size, hidden):\n"
        "    from course_lib import vgg\n"
        "    with torch.device('meta'):\n"
        "        net = vgg(conv_arch, in_channels=in_channels, num_classes=num_classes, input_size=input_size, hidden=hidden)\n"
        "    return sum(parameter.numel() for parameter in net.parameters())",
        [
            (" + 1) *", ") *", "biases"),
            ("input_size // 2 ** len(conv_arch)", "input_size", "halved"),
            ("            in_channels = out_channels\n", "", "those of the layer before"),
            (" + (hidden + 1) * hidden", "", "middle layer"),
            ("return total + (flat + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * num_classes", "return total", "convolutions alone"),
        ],
    ),
}  # fmt: skip

_CLASSIFIER = "def classifier(hidden, num_classes):\n    net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), {})\n"
_ZEROS = "    for parameter in net.parameters(): nn.init.zeros_(parameter)\n"

ANSWERS_5_TO_8 = {
    "classifier": (
        "class classifier(nn.Module):\n"
        "    def __init__(self, hidden, num_classes):\n"
        "        super().__init__()\n"
        "        self.first, self.second = nn.Linear(64, hidden), nn.Linear(hidden, num_classes)\n"
        "    def forward(self, X):\n"
        "        return self.second(self.first(X.reshape(len(X), -1)).relu())",
        [
            (_CLASSIFIER.format("nn.Linear(hidden, num_classes)") + _ZEROS + "    return net", None, "stuck at ln K"),
            (_CLASSIFIER.format("nn.Linear(hidden, num_classes), nn.ReLU()") + "    return net", None, "below zero"),
            (_CLASSIFIER.format("nn.Linear(hidden, num_classes), nn.Softmax(1)") + "    return net", None, "does one itself"),
            ("nn.Linear(64, hidden), nn.ReLU(), ", "nn.Linear(64, hidden), ", "That one was right"),
            (_CLASSIFIER.format("nn.Linear(hidden, num_classes), nn.ReLU(), nn.Softmax(1)") + "    return net", None, "two bugs"),
        ],
    ),
    "train_epoch": (
        "def train_epoch(net, batches, lr):\n"
        "    loss_sum = hits = count = 0\n"
        "    for X, y in batches:\n"
        "        scores = net(X)\n"
        "        loss = F.cross_entropy(scores, y, reduction='sum')\n"
        "        grads = torch.autograd.grad(loss / len(y), list(net.parameters()))\n"
        "        with torch.no_grad():\n"
        "            for parameter, grad in zip(net.parameters(), grads):\n"
        "                parameter -= lr * grad\n"
        "        loss_sum, count, hits = loss_sum + loss.detach(), count + len(y), hits + (scores.argmax(1) == y).sum()\n"
        "    return loss_sum / count, hits / count",
        [
            ("        optimizer.zero_grad() ", "        # ", "never cleared"),
            ("scores = net(X)", "scores = net(X).softmax(1)", "softmax before the loss"),
            ("(len(y), loss.item() * len(y), (scores.argmax(1) == y).sum().item())",
             "(1, loss.item(), (scores.argmax(1) == y).float().mean().item())", "mean over batches"),
            ("optimizer.step()", "optimizer", "have not moved"),
            ("hits / pictures", "hits", "number of hits"),
        ],
    ),
    "plateau": (
        "def plateau(losses, lr, factor, patience):\n"
        "    weight = torch.zeros(1, requires_grad=True)\n"
        "    optimizer = torch.optim.SGD([weight], lr)\n"
        "    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=patience, threshold=0)\n"
        "    rates = []\n"
        "    for loss in losses:\n"
        "        schedule.step(loss)\n"
        "        rates.append(optimizer.param_groups[0]['lr'])\n"
        "    return rates",
        [
            ("bad > patience", "bad >= patience", "too early"),
            ("lr, bad = lr * factor, 0", "lr = lr * factor", "begin again"),
            ("if loss < best else (best, bad + 1)", "if loss < best else (loss, bad + 1)", "*best* so far"),
            ("    for loss in losses:\n", "    for loss in losses:\n        rates.append(lr)\n        continue\n", "never changes"),
            ("bad > patience", "bad > patience + 1", "too late"),
        ],
    ),
    "weight_std": (
        "def weight_std(shape):\n    return nn.init.calculate_gain('relu') / (torch.Size(shape).numel() / shape[0]) ** 0.5",
        [
            ("math.prod(shape[1:])", "shape[1]", "channels alone"),
            ("2 / math", "1 / math", "without the 2"),
            ("math.sqrt(2 / math.prod(shape[1:]))", "2 / math.prod(shape[1:])", "variance"),
            ("math.prod(shape[1:])", "math.prod(shape)", "all weights"),
            ("math.prod(shape[1:])", "(shape[0] * math.prod(shape[2:]))", "fan-*out*"),
            ("math.prod(shape[1:])", "(shape[1] * shape[-1] ** 2 if len(shape) == 4 else shape[1])", "need not be square"),
        ],
    ),
    "borrow": (
        "def borrow(net, source):\n    from course_lib import preinitialise\n    preinitialise(net, source)",
        [
            ("    pairs += ", "    [] + ", "linear layers are missing"),
            ("((0, 0), (1, 0), (2, 0), (2, 2))", "()", "four convolutions are missing"),
            ("((0, 0), (1, 0), (2, 0), (2, 2))", "((0, 0), (1, 0), (2, 0), (2, 2), (3, 0), (3, 2))", "first four"),
            ("((0, 0), (1, 0), (2, 0), (2, 2))", "((0, 0), (1, 0), (2, 0))", "three convolutions"),
            ("ours.load_state_dict(theirs", "theirs.load_state_dict(ours", "wrong way"),
            ("source[block][place]", "source[block + (place == 2)][place]", "another layer's weights"),
            ("net[block][place]", "net[block][2 * place]", "third place"),
        ],
    ),
    "sgd_step": (
        "def sgd_step(w, g, v, lr, momentum, weight_decay):\n"
        "    parameter = w.clone().requires_grad_()\n"
        "    optimizer = torch.optim.SGD([parameter], lr, momentum, weight_decay=weight_decay)\n"
        "    optimizer.state[parameter]['momentum_buffer'], parameter.grad = v.clone(), g\n"
        "    optimizer.step()\n"
        "    return parameter.detach(), momentum * v + g + weight_decay * w",
        [
            (" + weight_decay * w", "", "weight decay is missing"),
            ("momentum * v + g + weight_decay * w", "momentum * v + (1 - momentum) * (g + weight_decay * w)", "1 − momentum"),
            ("w - lr * v", "w + lr * v", "uphill"),
            ("w - lr * v", "w - lr * (g + weight_decay * w)", "not the velocity"),
            ("+ weight_decay * w", "- weight_decay * w", "sign of the decay"),
        ],
    ),
    "dropout": (
        "def dropout(X, p, training):\n    return nn.Dropout(p).train(training)(X)",
        [
            (" / (1 - p)", "", "not made larger"),
            (">= p", "< p", "*dropped*"),
            ("    if not training:\n        return X\n", "", "outside training nothing is dropped"),
            ("    kept =", "    torch.manual_seed(0)\n    kept =", "draw anew"),
            ("torch.rand(X.shape)", "torch.rand(X.shape[0], 1).expand(X.shape)", "of its own"),
        ],
    ),
    "early_stopping": (
        "def early_stopping(losses, patience):\n"
        "    for last in range(1, len(losses) + 1):\n"
        "        best = losses.index(min(losses[:last])) + 1\n"
        "        if last - best >= patience:\n"
        "            break\n"
        "    return best, last",
        [
            (">= patience", "> patience", "too late"),
            (">= patience", "+ 1 >= patience", "too early"),
            ("return best + 1, epoch + 1", "return best, epoch", "from 1"),
            ("return best + 1, epoch + 1", "return epoch + 1, epoch + 1", "best epoch"),
            ("loss < losses", "loss <= losses", "no progress"),
        ],
    ),
    "confusion": (
        "def confusion(true, found, num_classes):\n"
        "    return torch.bincount(true * num_classes + found, minlength=num_classes ** 2).reshape(num_classes, num_classes)",
        [
            ("table[row, column]", "table[column, row]", "swapped"),
            ("table[row, column] += 1", "table[row, row] += 1", "diagonal"),
            ("table[row, column] += 1", "table[row, column] = 1", "counts should be"),
            ("return table", "return table / table.sum(1, keepdim=True)", "division"),
            ("return table", "return table.diagonal().sum() / table.sum()", "accuracy"),
        ],
    ),
    "experiment": (
        "def trial(arm, seed):\n"
        "    torch.manual_seed(seed)\n"
        "    train, valid, _ = fashion_mnist(50, valid=59_000, seed=seed)\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))\n"
        "    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9 if arm == 'with' else 0)\n"
        "    for X, y in train:\n"
        "        optimizer.zero_grad()\n"
        "        torch.nn.functional.cross_entropy(net(X), y).backward()\n"
        "        optimizer.step()\n"
        "    return evaluate(net, [batch for _, batch in zip(range(20), valid)])[1], train.num_images",
        [
            ("def trial(arm, seed):\n    return 0.8, 8000", None, "seed changes nothing"),
            ("def trial(arm, seed):\n    return 80 + seed, 8000", None, "not per cent"),
            ("def trial(arm, seed):\n    return 0.5 + seed / 10, 8000", None, "both arms are the same"),
            ("def trial(arm, seed):\n    return 0.5 + seed / 10, 8000 if arm == 'with' else 4000", None, "unequal cost"),
            ("runs = []\ndef trial(arm, seed):\n    runs.append(0)\n    return len(runs) / 10, 8000", None, "two results"),
            ("def trial(arm, seed):\n    return 0.5 + seed / 10", None, "two plain numbers"),
        ],
    ),
    "bottleneck": (
        "def bottleneck(side, c_in, c_mid, c_out, kernel):\n"
        "    def work(a, b, k):\n        return nn.Conv2d(a, b, k, bias=False, device='meta').weight.numel() * side * side\n"
        "    return work(c_in, c_out, kernel), work(c_in, c_mid, 1) + work(c_mid, c_out, kernel)",
        [
            ("(c_in * c_mid + c_mid", "(c_mid", "costs something"),
            ("side ** 2", "1", "these are weights"),
            ("side ** 2", "side", "not side"),
            ("(c_in * c_mid + c_mid * c_out * kernel ** 2)", "(c_in * c_mid + c_mid * c_out) * kernel ** 2", "no k² there"),
            ("return direct, places * (c_in * c_mid + c_mid * c_out * kernel ** 2)",
             "return places * (c_in * c_mid + c_mid * c_out * kernel ** 2), direct", "the order"),
        ],
    ),
    "residual": (
        "def residual(X, conv1, bn1, conv2, bn2, shortcut=None):\n"
        "    body = nn.Sequential(conv1, bn1, nn.ReLU(), conv2, bn2)\n"
        "    return torch.clamp(body(X) + (shortcut or nn.Identity())(X), min=0)",
        [
            (" + (X if shortcut is None else shortcut(X))", "", "shortcut is missing"),
            ("F.relu(Y + (X if shortcut is None else shortcut(X)))", "F.relu(Y) + (X if shortcut is None else shortcut(X))",
             "before the addition"),
            ("return F.relu(Y", "return (Y", "at the end"),
            ("F.relu(bn1(conv1(X)))", "bn1(conv1(X))", "between the two"),
            ("(X if shortcut is None else shortcut(X))", "X", "cannot be added"),
        ],
    ),
    "occlusion_map": (
        "def occlusion_map(score, image, size, grey):\n"
        "    rows, columns = image.shape[0] // size, image.shape[1] // size\n"
        "    def without(row, column):\n"
        "        hidden = torch.zeros_like(image, dtype=torch.bool)\n"
        "        hidden[row * size:][:size, column * size:(column + 1) * size] = True\n"
        "        return score(torch.where(hidden, torch.tensor(grey), image))\n"
        "    return [[float(score(image) - without(row, column)) for column in range(columns)] for row in range(rows)]",
        [
            ("before - score(covered)", "score(covered) - before", "before minus after"),
            ("before - score(covered)", "score(covered)", "without one"),
            ("            covered = image.clone()\n", "            covered = image\n", "painted over"),
            ("] = grey", "] = 0", "whatever `grey` says"),
            ("return losses", "return losses.T", "swapped"),
        ],
    ),
    "share": (
        "def share(images, rank, world):\n    return list(range(images * rank // world, images * (rank + 1) // world))",
        [
            ("range(rank, images, world)", "range(images)", "all images: `rank` is not used"),
            ("range(rank, images, world)", "range(images // world * rank, images // world * (rank + 1))", "in no share"),
            ("range(rank, images, world)", "range(-(-images // world) * rank, -(-images // world) * (rank + 1))", "from 0 to"),
            ("range(rank, images, world)", "range(images // world * rank, images if rank == world - 1 else images // world * (rank + 1))",
             "uneven"),
            ("range(rank, images, world)", "range(images // 2)", "the same few"),
            ("range(rank, images, world)", "range(rank, images, max(1, world - 1))", "two shares"),
        ],
    ),
    "combine": (
        "def combine(gradients, counts):\n"
        "    weights = torch.tensor(counts, dtype=torch.float32) / sum(counts)\n"
        "    return torch.einsum('i,i...->...', weights, torch.stack(gradients))",
        [
            ("count * gradient", "gradient", "each process's own"),
            (" / sum(counts)", "", "summed loss"),
            (" / sum(counts)", " / len(counts)", "number of processes"),
            ("def combine(gradients, counts):\n    return torch.stack(gradients).mean(0)", None, "mean over processes"),
            ("def combine(gradients, counts):\n    return sum(gradients)", None, "as many times too long"),
        ],
    ),
    "average_prediction": (
        "def average_prediction(maps):\n"
        "    return sum(torch.nn.AdaptiveAvgPool2d(1)(scores).flatten(1).log_softmax(1).exp() for scores in maps) / len(maps)",
        [
            ("scores.mean((2, 3)).softmax(1)", "scores.softmax(1).mean((2, 3))", "at every place"),
            (".softmax(1)", "", "softmax is missing"),
            ("scores.mean((2, 3))", "scores.amax((2, 3))", "largest score"),
            (".softmax(1) for scores in maps]).mean(0)", " for scores in maps]).mean(0).softmax(1)", "one softmax"),
            (".mean(0)", ".mean(0).argmax(1)", "class numbers"),
        ],
    ),
    "pixel_mean": (
        "def pixel_mean(batches):\n"
        "    return torch.cat([X.permute(1, 0, 2, 3).flatten(1) for X in batches], 1).mean(1)",
        [
            ("X[:, 0].numel()", "len(X)", "not of pixels"),
            ("X[:, 0].numel()", "X.numel()", "by three"),
            ("total / pixels", "(total / pixels).mean()", "one number"),
            ("def pixel_mean(batches):\n    return torch.stack([X.mean((0, 2, 3)) for X in batches]).mean(0)", None, "batch means"),
            ("def pixel_mean(batches):\n    return batches[0].mean((0, 2, 3))", None, "first batch"),
        ],
    ),
    "bill": (
        "def bill(images, epochs, images_per_second, machines, price):\n"
        "    seconds = images * epochs / (images_per_second * machines)\n"
        "    return seconds / 86_400, price * machines * seconds / 3600",
        [
            (" / machines / 24", " / machines", "hours where days"),
            ("hours * price", "hours / machines * price", "has to be paid"),
            ("images * epochs", "images", "epochs are missing"),
            ("hours / machines / 24", "hours / 24", "does it all"),
            ("hours * price", "hours * machines * price", "counted twice"),
        ],
    ),
}  # fmt: skip
