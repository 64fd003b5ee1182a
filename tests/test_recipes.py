"""Recipes, and the terminal commands that run them."""

import json

import pytest
import torch

from course_lib import fashion_mnist
from course_lib.__main__ import main
from course_lib.recipes import RECIPES, Mirrored, Recipe, build, keep_memory, pool_first, run_recipe, slim_vgg
from course_lib.vgg import vgg_block

TINY = Recipe(arch=((1, 4),), epochs=1, lr=0.1, size=4, batch_size=1000)


def test_slim_vgg_scores_the_largest_response_of_each_channel():
    torch.manual_seed(0)
    net = slim_vgg(((1, 8), (1, 16))).eval()
    X = torch.randn(2, 1, 28, 28)
    largest = net[1](net[0](X)).amax(dim=(2, 3))
    torch.testing.assert_close(net(X), largest @ net[-1].weight.T + net[-1].bias)


def test_slim_vgg_takes_what_vgg_takes():
    assert slim_vgg("C", in_channels=3, num_classes=7)[-1].out_features == 7
    with pytest.raises(ValueError, match="unknown net 'vgg16'"):
        slim_vgg("vgg16")


def test_mirrored_averages_outside_training_and_mirrors_a_random_half_in_training():
    torch.manual_seed(0)
    inner = torch.nn.Conv2d(1, 2, (1, 8))
    net = Mirrored(inner)
    X = torch.randn(200, 1, 1, 8)
    torch.testing.assert_close(net.eval()(X), (inner(X) + inner(X.flip(3))) / 2)
    torch.testing.assert_close(net(X), net(X.flip(3)))
    trained, plain, mirrored = net.train()(X), inner(X), inner(X.flip(3))
    is_plain = (trained == plain).flatten(1).all(1)
    is_mirrored = (trained == mirrored).flatten(1).all(1)
    assert (is_plain ^ is_mirrored).all() and 70 < is_plain.sum() < 130


@pytest.mark.parametrize("num_convs", [1, 2])
def test_pooling_first_leaves_the_scores_of_a_block_with_relu_as_they_are(num_convs):
    torch.manual_seed(0)
    block, X = vgg_block(num_convs, 3, 8), torch.randn(2, 3, 12, 12)
    moved = pool_first(block)
    assert [type(layer).__name__ for layer in moved] != [type(layer).__name__ for layer in block]
    assert moved[0] is block[0] and len(moved) == len(block)
    assert torch.equal(moved(X), block(X))


def test_pooling_first_gives_batch_norm_a_quarter_of_the_numbers():
    torch.manual_seed(0)
    block = pool_first(vgg_block(2, 1, 4, batch_norm=True))
    assert [type(layer).__name__ for layer in block] == [
        "Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"]
    seen = []
    for place in (1, 5):
        block[place].register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0].shape[2:].numel()))
    block(torch.randn(2, 1, 8, 8))
    assert seen == [64, 16]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_built_of_vgg_blocks_and_fits_its_images(name):
    recipe = RECIPES[name]
    net = build(recipe)
    assert net(torch.zeros(2, 1, recipe.size, recipe.size)).shape == (2, 10)
    convolutions = [layer for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == sum(row[0] for row in recipe.arch)
    assert all(layer.kernel_size == (3, 3) for layer in convolutions)
    assert recipe.size <= 32 and recipe.valid == 0


def test_memory_is_kept_on_linux_and_left_alone_elsewhere(monkeypatch):
    calls = []

    class Library:
        def __init__(self, name):
            self.mallopt = lambda option, size: calls.append((option, size))

    monkeypatch.setattr("course_lib.recipes.ctypes.CDLL", Library)
    monkeypatch.setattr("course_lib.recipes.sys.platform", "linux")
    keep_memory()
    assert calls == [(-3, 32 * 2**20), (-1, 2**30)]          # malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
    monkeypatch.delattr(Library, "__init__")                 # another C library, without mallopt
    monkeypatch.setattr("course_lib.recipes.ctypes.CDLL", lambda name: object())
    keep_memory()
    monkeypatch.setattr("course_lib.recipes.sys.platform", "darwin")
    monkeypatch.setattr("course_lib.recipes.ctypes.CDLL", None)
    keep_memory()
    assert len(calls) == 2


def test_a_run_reads_the_test_set_once_after_the_last_epoch(monkeypatch):
    events = []

    class Watched(list):
        def __iter__(self):
            events.append(self.name)
            return super().__iter__()

    def watched(*args, **options):
        loaded = fashion_mnist(*args, **options)
        parts = [Watched([next(iter(part))] if part.num_images else []) for part in loaded]
        for name, part, whole in zip(("train", "valid", "test"), parts, loaded):
            part.name, part.num_images = name, whole.num_images
        return parts

    monkeypatch.setattr("course_lib.recipes.fashion_mnist", watched)
    result = run_recipe(Recipe(arch=((1, 4),), epochs=2, lr=0.1, size=4, batch_size=1000), progress=False)
    assert events == ["train", "valid", "train", "valid", "test"]
    assert len(result["valid_accuracy"]) == 2 and 0 < result["test_accuracy"] < 1 and result["seconds"] > 0
    assert result["images"] == 55_000
    events.clear()
    result = run_recipe(Recipe(arch=((1, 4),), epochs=2, lr=0.1, size=4, batch_size=1000, valid=0), progress=False)
    assert events == ["train", "train", "test"] and result["images"] == 60_000 and result["valid_accuracy"] == []


def test_a_seed_gives_the_same_run_again_and_another_seed_another():
    recipe = Recipe(arch=((1, 2),), epochs=1, lr=0.1, size=4, batch_size=5000, label_smoothing=0.1)
    first, again, other = (run_recipe(recipe, seed=seed, device="cpu", progress=False) for seed in (3, 3, 4))
    assert first["train_loss"] == again["train_loss"] != other["train_loss"]


def test_unknown_recipe_names_those_that_exist():
    with pytest.raises(ValueError, match="unknown recipe '91': allowed are 92, 93, 94"):
        run_recipe("91")


def test_trace_prints_the_papers_net_without_building_it(capsys):
    assert main(["trace", "D"]) == 0
    out = capsys.readouterr().out
    assert "138,357,544" in out and "212" in out


@pytest.mark.parametrize("net, expected", [("alexnet:paper", "60,965,224"), ("1x16,1x32", "431,929,288")])
def test_trace_takes_every_net_and_an_architecture_of_ones_own(capsys, net, expected):
    assert main(["trace", net]) == 0
    assert expected in capsys.readouterr().out


def test_train_writes_settings_and_result(tmp_path, capsys):
    file = tmp_path / "run.json"
    assert main(["train", "--arch", "1x2,1x4", "--size", "4", "--hidden", "8", "--batch-size", "5000", "--epochs", "1",
                 "--lr", "0.1", "--seed", "5", "--json", str(file)]) == 0
    run = json.loads(file.read_text())
    assert run["settings"]["arch"] == [[1, 2], [1, 4]] and run["settings"]["lr"] == 0.1 and run["seed"] == 5
    assert f"{100 * run['test_accuracy']:.2f} %" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_options_change_a_recipe(tmp_path):
    file = tmp_path / "run.json"
    assert main(["train", "92", "--arch", "1x2", "--size", "4", "--batch-size", "5000", "--epochs", "1",
                 "--json", str(file)]) == 0
    settings = json.loads(file.read_text())["settings"]
    assert settings["epochs"] == 1 and settings["label_smoothing"] == RECIPES["92"].label_smoothing
    assert settings["valid"] == 5000 and RECIPES["92"].valid == 0      # what is tried out is judged on its own images


@pytest.mark.parametrize("arguments, sentence", [
    (["trace", "vgg16"], "unknown architecture 'vgg16'"),
    (["trace", "1x16,2"], "unknown architecture '1x16,2'"),
    (["trace", "D", "--size", "16"], "too small"),
    (["train"], "name a recipe"),
    (["train", "93.5"], "unknown recipe '93.5'"),
    (["train", "--arch", "0x3"], "num_convs of block 1 must be"),
    (["train", "92", "--epochs", "0"], "epochs must be"),
    (["train", "92", "--json", "no/such/folder/run.json"], "make it first"),
])
def test_bad_arguments_end_in_one_sentence(arguments, sentence, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error and "Traceback" not in error
