"""The breaks that lessons must notice can be made, and the runner tells noticed from unnoticed."""

import json
import shutil

import pytest

from course_tools import breaks

ALL = json.loads((breaks.REPOSITORY / "tests" / "breaks.json").read_text())


@pytest.mark.parametrize("b", ALL, ids=lambda b: f"{b['lesson'][:2]}-{b['why']}")
def test_every_break_changes_one_place_and_leaves_python(b, tmp_path):
    (tmp_path / "course_lib").mkdir()
    shutil.copy(breaks.REPOSITORY / b["file"], tmp_path / b["file"])
    before = (tmp_path / b["file"]).read_text()
    breaks.apply(b, tmp_path)
    after = (tmp_path / b["file"]).read_text()
    assert after != before
    compile(after, b["file"], "exec")
    assert (breaks.REPOSITORY / "notebooks" / f"{b['lesson']}.ipynb").exists()


def test_a_break_whose_place_is_gone_is_refused(tmp_path):
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "vgg.py").write_text("nothing\n")
    with pytest.raises(ValueError, match="stands 0 times in course_lib/vgg.py"):
        breaks.apply({"file": "course_lib/vgg.py", "old": "something", "new": ""}, tmp_path)
