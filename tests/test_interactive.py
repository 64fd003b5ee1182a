"""The interactive figures as files: what a notebook stores. tests/browser/test_figures.py operates them."""

import base64
import hashlib
import html
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from course_lib import photographs, plots
from course_tools import interactive, recorded
from course_tools.interactive import page

MAKERS = [interactive.convolution_stepper, interactive.pooling_shift, interactive.field_explorer,
          interactive.cost_calculator, interactive.run_explorer]
every_figure = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
SOURCES = sorted(path for path in page.FOLDER.iterdir() if path.suffix in (".js", ".css"))


@every_figure
def test_notebook_stores_html_and_a_short_text(make):
    bundle = make()._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"].startswith("Interactive figure: ") and len(bundle["text/plain"]) < 80
    assert len(bundle["text/html"].encode()) < 120_000


@every_figure
def test_html_asks_nothing_of_the_network_the_page_or_a_kernel(make):
    text = make().html()
    outside = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w/]*", re.sub(r"base64,[\w+/=]+", "", text)))
    assert outside <= {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody fetches
    for word in ("require(", "import(", "fetch(", "XMLHttpRequest", "innerHTML", "Jupyter.", "google.colab", ' id="', "eval("):
        assert word not in text, word


@every_figure
def test_script_ends_only_where_it_should(make):
    text = make().html()
    assert text.count("<script") == text.count("</script") == 1
    assert text.rstrip().endswith("</script>")


@every_figure
def test_without_its_script_the_html_is_a_still_picture_with_its_text(make):
    still, _ = make().html().split("<script>")
    address, alt = re.search(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', still).groups()
    plots.check_alt(html.unescape(alt))
    assert len(alt.split()) > 20
    assert "still picture" in still
    picture = (page.FOLDER / "stills" / f"{make().name}.png").read_bytes()
    assert base64.b64decode(address) == picture and len(picture) <= 40_000
    with Image.open(io.BytesIO(picture)) as image:
        assert image.mode == "P" and image.width == 780


def test_html_is_the_same_in_another_process():
    script = ("import hashlib, sys; from course_tools import interactive as i;"
              "print(*(hashlib.sha256(getattr(i, name)().html().encode()).hexdigest() for name in sys.argv[1:]))")
    names = [make.__name__ for make in MAKERS]
    run = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=True,
                         cwd=page.FOLDER.parents[1])
    assert run.stdout.split() == [hashlib.sha256(make().html().encode()).hexdigest() for make in MAKERS]


def test_photograph_is_the_lessons_cat():
    packed = (page.FOLDER / "cat.jpg").read_bytes()
    assert len(packed) <= 25_000
    cat = photographs.photograph("chelsea.png")[:, :230, 56:286].permute(1, 2, 0).numpy()
    ours = np.asarray(Image.fromarray(cat).resize((224, 224), Image.Resampling.BILINEAR), dtype=float)
    with Image.open(io.BytesIO(packed)) as image:
        assert image.size == (224, 224)
        assert np.abs(np.asarray(image.convert("RGB")) - ours).mean() < 4


def test_runs_are_read_when_the_figure_is_shown():
    data = interactive.run_explorer().data
    for name in ("initialisation", "learning_rate"):
        runs = recorded.load_runs(name)
        assert list(data[name]["arms"]) == list(runs.arms) and data[name]["question"] == runs.question
        for arm, measured in data[name]["arms"].items():
            assert measured["valid_accuracy"] == runs.of(arm, "valid_accuracy")


def test_run_that_diverged_becomes_null():
    assert page.as_script({"loss": [float("inf"), 1.5, float("nan")], "<": "<!--"}) == '{"loss":[null,1.5,null],"<":"<\\!--"}'


def test_missing_still_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="git checkout course_tools/interactive"):
        page.data_uri(tmp_path / "nothing.png", "image/png")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_source_is_small_enough_to_read(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 300
    assert lines[0].startswith(("//", "/*")), "a source begins with what it is for"


def test_every_source_is_part_of_a_figure():
    used = {"shared.js", "shared.css"}.union(*(make().sources for make in MAKERS))
    assert used == {path.name for path in SOURCES}


def test_arms_have_the_courses_colours():
    (line,) = re.findall(r"const COLOURS = \[(.+)\];", page.read("runs.js"))
    colours = tuple(re.findall(r'"(.+?)"', line))
    assert colours == tuple("currentColor" if colour == "#000000" else colour for colour in plots.COLOURS)


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("front, back, least", [
    ("fg", "bg", 7), ("muted", "bg", 4.5), ("bad", "bg", 4.5), ("on-accent", "accent", 4.5), ("fg", "window", 4.5),
    ("line", "bg", 3), ("accent", "bg", 3)])
def test_colours_can_be_read(theme, front, back, least):
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", page.read("shared.css").split("color-scheme")[theme]))
    light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least
