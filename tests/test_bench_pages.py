"""README's table and the site's page of the bench: in step with data/bench.json, and honest about what we lose."""

import copy
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from course_tools import bench
from course_tools.bench import pages
from course_tools.bench.table import TARGETS, mean, met

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def figures():
    return json.loads(bench.PUBLISHED.read_text(encoding="utf-8"))


def test_readme_and_page_and_drawing_are_made_from_the_stored_figures(figures):
    assert pages.readme_part(figures) in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert pages.page(figures) == (REPOSITORY / "docs" / "bench.md").read_text(encoding="utf-8")
    with Image.open(REPOSITORY / "docs" / "bench_growth.png") as drawing:
        assert drawing.text["Comment"] == pages.growth_figures(figures)


def test_the_stored_figures_are_of_a_whole_run(figures):
    assert figures["quick"] is False
    parts = {key.partition(".")[0] for key in figures} - {"machine", "versions", "date", "quick"}
    assert parts == set(bench.PARTS)
    assert set(TARGETS) <= set(figures)
    assert all(len(figures[f"time_to_{goal}.seconds"]) == 5 for goal in ("92", "93", "94"))


def test_a_recipe_reaches_the_accuracy_that_it_is_named_after(figures):
    for goal in ("92", "93", "94"):
        assert mean(figures[f"time_to_{goal}.test_accuracy"]) >= int(goal) / 100


def test_a_figure_that_changes_shows_in_readme_and_on_the_page(figures, tmp_path):
    changed = copy.deepcopy(figures)
    changed["same_work.ratio_to_lightning"] = 0.5
    changed["time_to_92.test_accuracy"] = [0.91] * 5
    changed["trace.alexnet.field_right"] = False
    changed["trace.alexnet.ratio_to_torchinfo"] = 1.2
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n", encoding="utf-8")
    pages.write_pages(changed, tmp_path)
    readme, page = ((tmp_path / name).read_text(encoding="utf-8") for name in ("README.md", "docs/bench.md"))
    assert readme.startswith("before\n") and readme.endswith("\nafter\n") and "old" not in readme
    assert "| 0.50 |" in readme and "91.00 %" in readme
    for warning in ("**We lose.**", "**The mean stays below 92 %.**", "**Not on alexnet.**",
                    "**Slower than torchinfo on alexnet"):
        assert warning in page
        assert warning not in pages.page(figures) or not warning.startswith("**Not on")
    assert not met("time_to_92.test_accuracy", changed["time_to_92.test_accuracy"])


def test_a_readme_without_the_marks_is_left_alone(figures, tmp_path):
    (tmp_path / "README.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for the table"):
        pages.write_pages(figures, tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "nothing"


def test_tables_have_as_many_cells_in_every_row(figures):
    for text in (pages.readme_part(figures), pages.page(figures)):
        for part in re.split(r"\n\n", text):
            rows = [line.count("|") for line in part.splitlines() if line.startswith("|")]
            assert len(set(rows)) <= 1
