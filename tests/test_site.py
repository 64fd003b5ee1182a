"""What the site takes from the lessons, its checks, Colab's copies and the workflows; no browser and no Sphinx."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat import v4

from course_tools import colab, site
from course_tools.bootstrap import bootstrap_source
from course_tools.site_checks import html_pages, page_problems, size_problems

REPOSITORY = Path(__file__).parents[1]
ADDRESS = "https://github.com/NAME/COURSE"
FIRST = """# 7. Beyond

**The question.** What comes next?

**Afterwards you can**

- build a block;
- compare it with [another](../docs/glossary.md#block).

**Runs in** about 2 minutes on a two-core CPU.

| section | | minutes |
|---|---|---|
| One | core | 20 |
| Two | core | 15 |
| Three | optional | 10 |
"""


def lesson(folder, name="07_beyond", **course):
    cells = [v4.new_markdown_cell(FIRST), v4.new_code_cell(bootstrap_source()), v4.new_code_cell("print(1)")]
    path = folder / f"{name}.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata={"course": course}), path)
    return path


def test_lesson_is_described_by_its_first_cell_and_metadata(tmp_path):
    (described,) = [site.describe(lesson(tmp_path, minutes=2.5, budget_seconds=180))]
    assert (described.title, described.question) == ("7. Beyond", "What comes next?")
    assert described.outcomes == ["build a block", "compare it with [another](../docs/glossary.md#block)"]
    assert (described.core, described.optional) == (35, 10)
    assert (described.minutes, described.budget_seconds) == (2.5, 180)


def test_every_stored_lesson_has_what_the_site_shows_of_it():
    for described in site.lessons():
        assert described.question and described.outcomes and described.core, described.name
        assert described.title.startswith(f"{int(described.name[:2])}. ")


def test_minutes_on_the_pages_come_from_the_metadata(tmp_path):
    every = [site.describe(lesson(tmp_path, minutes=2.5, budget_seconds=180)), site.describe(lesson(tmp_path, "08_x"))]
    assert "*35 minutes of class, runs in 2.5 min.*" in site.cards(every)
    assert "*35 minutes of class.*" in site.cards(every)
    rows = site.timings_table(every).splitlines()
    assert rows[2].endswith("| 2.5 | 3 |") and rows[3].endswith("| not stored yet |  |")
    assert "](glossary.md#block)" in site.outcomes_list(every)


def test_marks_are_filled_in_and_an_unknown_one_is_an_error():
    filled = site.fill_in("before\n\n<!-- timings -->\n\nafter")
    assert "02_receptive_fields.ipynb" in filled and "<!--" not in filled and filled.endswith("after")
    with pytest.raises(KeyError):
        site.fill_in("<!-- nonsense -->")


def test_no_number_of_minutes_is_typed_into_the_pages_that_list_them():
    for name in ("index.md", "timings.md", "instructors.md"):
        text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
        assert "<!-- " in text and not re.search(r"\d+(\.\d)? min(ute|\b)", text)


def test_experiments_name_machine_runs_and_date():
    rows = site.experiments_table().splitlines()[2:]
    recorded = sorted((REPOSITORY / "data" / "runs").glob("*.json"))
    assert len(rows) == len(recorded)
    for row, path in zip(rows, recorded):
        made = json.loads(path.read_text())["made"]
        assert made["date"] in row and made["machine"].partition(",")[0] in row and "device" not in row


def test_bootstrap_cell_is_folded_on_the_pages_and_nothing_else(tmp_path):
    before = lesson(tmp_path).read_text()
    folded = json.loads(site.fold_bootstrap(before))
    tags = [cell["metadata"].get("tags") for cell in folded["cells"]]
    assert tags == [None, ["hide-input"], None]


# The repository's address.


def pyproject(folder, urls=""):
    path = folder / "pyproject.toml"
    path.write_text(f'[project]\nname = "x"\nversion = "1"\n{urls}')
    return path


def test_address_comes_from_one_place(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_REPOSITORY", raising=False)
    assert site.repository(pyproject(tmp_path)) == ""
    named = pyproject(tmp_path, '[project.urls]\nRepository = "https://example.org/a/b.git"\n')
    assert site.repository(named) == "https://example.org/a/b"
    monkeypatch.setenv("COURSE_REPOSITORY", ADDRESS + "/")
    assert site.repository(named) == ADDRESS


@pytest.mark.parametrize("address", ["NAME/COURSE", "http://github.com/a/b", "https://github.com/a", 'https://x/a/b"c'])
def test_address_that_is_none_is_refused(address, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_REPOSITORY", address)
    with pytest.raises(ValueError, match="COURSE_REPOSITORY must look like"):
        site.repository(pyproject(tmp_path))


def test_buttons_lead_to_colabs_copies_and_to_binder():
    assert site.launch_links("notebooks/02_x", "", "main") == {}
    links = site.launch_links("notebooks/02_x", ADDRESS, "main")
    assert links["Colab"] == "https://colab.research.google.com/github/NAME/COURSE/blob/colab/notebooks/02_x.ipynb"
    assert links["Binder"] == "https://mybinder.org/v2/gh/NAME/COURSE/main?urlpath=lab/tree/notebooks/02_x.ipynb"
    elsewhere = site.launch_links("docs/glossary", "https://code.example.org/a/b", "main")
    first = "notebooks/00_before_you_start.ipynb"
    assert elsewhere == {"Binder": f"https://mybinder.org/v2/git/https%3A%2F%2Fcode.example.org%2Fa%2Fb/main?urlpath=lab/tree/{first}"}
    assert (REPOSITORY / first).exists()


# The checks on the built pages.


def pages(folder, **bodies):
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>{body}", encoding="utf-8")


def test_sound_pages_have_no_problem(tmp_path):
    (tmp_path / "dot.png").write_bytes(b"dot")
    pages(
        tmp_path,
        a='<h1 id="top">a</h1><a href="b.html#caf%C3%A9">b</a><a href="#top">up</a><img src="dot.png" alt="One dot.">',
        b='<p id="café">b</p><a href="https://example.org/x">away</a><a href="mailto:x@example.org">write</a>',
    )
    assert page_problems(tmp_path) == []


@pytest.mark.parametrize(
    "body, problem",
    [
        ('<a href="gone.html">x</a>', "links to gone.html, which is not there"),
        ('<a href="../outside.html">x</a>', "which is not there"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<script src="https://cdn.example.org/x.js"></script>', "from another machine"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "from another machine"),
        ('<img src="gone.png" alt="A dot.">', "loads gone.png, which is not there"),
        ('<img src="data:image/png;base64,AA">', "no alternative text"),
        ('<img src="data:image/png;base64,AA" alt=" ">', "no alternative text"),
        ('<img src="data:image/png;base64,AA" alt="figure_1.png">', "no alternative text"),
    ],
)
def test_broken_page_is_named_with_its_problem(body, problem, tmp_path):
    pages(tmp_path, a=body)
    (found,) = page_problems(tmp_path)
    assert found.startswith("a.html: ") and problem in found


def test_themes_own_templates_are_no_pages(tmp_path):
    (tmp_path / "_static").mkdir()
    pages(tmp_path, a="")
    pages(tmp_path / "_static", macros='<a href="{{ link }}">x</a>')
    assert [path.name for path in html_pages(tmp_path)] == ["a.html"]


def test_heavy_page_counts_its_pictures_and_the_site_all_files(tmp_path):
    (tmp_path / "dot.png").write_bytes(bytes(900))
    pages(tmp_path, a='<img src="dot.png" alt="One dot."><img src="dot.png" alt="Once more.">', b="")
    assert size_problems(tmp_path, 1100, 5000) == []
    (heavy,) = size_problems(tmp_path, 950, 5000)
    assert heavy.startswith("a.html: ")
    (whole,) = size_problems(tmp_path, 1100, 950)
    assert whole.startswith("the site has ")


# Colab's copies.


@pytest.fixture
def copies(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_REPOSITORY", ADDRESS)
    assert colab.main(SimpleNamespace(ref="v9.9", into=tmp_path / "colab")) == 0
    return tmp_path / "colab" / "notebooks"


def test_copies_carry_address_and_tag_and_lead_nowhere_else(copies):
    names = sorted(path.relative_to(copies) for path in copies.rglob("*.ipynb"))
    stored_ones = (REPOSITORY / "notebooks").rglob("*.ipynb")
    assert names == sorted(path.relative_to(REPOSITORY / "notebooks") for path in stored_ones if ".ipynb_" not in str(path))
    assert len(names) == 27
    for name in names:
        copied, stored = (nbformat.read(folder / name, 4) for folder in (copies, REPOSITORY / "notebooks"))
        code = [cell.source for cell in copied.cells if cell.cell_type == "code"]
        assert f'"--branch", "v9.9", "{ADDRESS}"' in code[0]
        assert code[1:] == [cell.source for cell in stored.cells if cell.cell_type == "code"][1:]
        for cell in copied.cells:
            if cell.cell_type == "markdown":
                assert all(link.startswith(("http", "#")) for link in re.findall(r"\]\(([^)]+)\)", cell.source))


def test_copies_of_exercises_lead_to_the_copies_of_their_lessons(copies):
    first = nbformat.read(copies / "exercises" / "01_convolution_and_pooling.ipynb", 4).cells[0].source
    assert "https://colab.research.google.com/github/NAME/COURSE/blob/colab/notebooks/01_convolution_and_pooling.ipynb" in first
    assert "blob/colab/notebooks/solutions/01_convolution_and_pooling.ipynb" in first


def test_copies_need_an_address_and_a_name_that_git_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(colab, "repository", lambda: "")
    with pytest.raises(ValueError, match="COURSE_REPOSITORY"):
        colab.main(SimpleNamespace(ref=None, into=tmp_path))
    with pytest.raises(ValueError, match="tag or branch"):
        colab.bootstrap(ADDRESS, 'v1", "--evil')


def test_copies_leave_colabs_numpy_and_torch_alone():
    asked = dict(colab.packages())
    assert not {"torch", "torchvision", "numpy"} & set(asked.values())
    assert asked["PIL"] == "pillow" and "torchinfo" in asked and "pooch" in asked
    dependencies = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    assert len(asked) == len(dependencies) - 3 + 1


BEGIN = """
import course_lib
from course_lib import fashion_mnist
train, valid, test = fashion_mnist(256)
print(course_lib.__file__)
print(train.num_images, test.num_images)
"""


def alone(folder: Path, source: str, target: Path, **environment):
    """Runs a notebook that lies alone in `folder`, bootstrap cell first, as Colab would: a kernel of its own, a
    library that cannot be imported, no network (proxies and indexes lead nowhere). Returns what it printed."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source), v4.new_code_cell(BEGIN)])
    nbformat.write(notebook, folder / "lesson.ipynb")
    script = """
import sys, nbformat
from jupyter_client import KernelManager
from nbclient import NotebookClient
notebook = nbformat.read("lesson.ipynb", 4)
manager = KernelManager()
manager.kernel_spec.argv[:] = [sys.executable, "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
NotebookClient(notebook, km=manager, timeout=120, resources={"metadata": {"path": "."}}).execute()
for cell in notebook.cells:
    for output in cell.outputs:
        if output.get("name") == "stdout":
            print(output.text, end="")
"""
    packages = [str(target), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    offline = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "http_proxy": "http://127.0.0.1:9",
               "https_proxy": "http://127.0.0.1:9", "GIT_ALLOW_PROTOCOL": "file"}
    # With -S nothing reads the .pth files by which the checkout itself is installed.
    return subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder,
        env={**os.environ, **offline, "PYTHONPATH": os.pathsep.join(packages), "PIP_TARGET": str(target),
             "XDG_CACHE_HOME": str(folder.parent / "cache"), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a wheel and a clone are made from: the tracked kind of files, without the 30 MB of pictures."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in ("course_lib", "course_tools"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    copied = shutil.copytree(checkout, folder / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, copied]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return next(folder.glob("*.whl"))


def test_alone_with_a_wheel_the_data_are_found_in_the_users_cache(wheel, empty):
    shutil.copytree(
        REPOSITORY / "data" / "FashionMNIST" / "raw",
        empty.parent / "cache" / "from-convolution-to-vgg" / "FashionMNIST" / "raw",
        ignore=shutil.ignore_patterns("*-ubyte"),
    )
    target = empty.parent / "target"
    source = colab.bootstrap(ADDRESS, "v9.9")
    run = alone(empty, source, target, COURSE_SOURCE=str(wheel))
    assert run.returncode == 0, run.stderr
    library, counts = run.stdout.splitlines()[-2:]
    assert library.startswith(str(target)) and counts == "55000 10000"


def test_alone_with_a_wheel_and_no_data_the_error_says_what_to_do(wheel, empty):
    run = alone(empty, bootstrap_source(""), empty.parent / "target", COURSE_SOURCE=str(wheel))
    assert run.returncode != 0
    assert "Connect to the network and try again, set COURSE_DATA_URL" in run.stderr


def test_alone_with_an_address_the_course_comes_with_its_data(checkout, empty):
    repository = shutil.copytree(checkout, empty.parent / "repository")
    raw = shutil.copytree(REPOSITORY / "data" / "FashionMNIST" / "raw", repository / "data" / "FashionMNIST" / "raw",
                          ignore=shutil.ignore_patterns("*-ubyte"))
    assert len(list(raw.iterdir())) == 4
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["tag", "v9.9"]):
        subprocess.run([*git, *command], cwd=repository, check=True)
    run = alone(empty, colab.bootstrap(f"file://{repository}", "v9.9"), empty.parent / "target")
    assert run.returncode == 0, run.stderr
    library, counts = run.stdout.splitlines()[-2:]
    assert library.startswith(str(empty / "course")) and counts == "55000 10000"


# The workflows and the Makefile.


def workflow(name):
    return yaml.safe_load((REPOSITORY / ".github" / "workflows" / name).read_text())


@pytest.mark.parametrize("name", ["test.yml", "site.yml", "release.yml"])
def test_workflow_pins_actions_to_a_major_version_and_asks_for_little(name):
    steps = [step for job in workflow(name)["jobs"].values() for step in job["steps"]]
    for action in filter(None, (step.get("uses") for step in steps)):
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action), action
    assert workflow(name)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", ["site.yml", "release.yml"])
def test_workflow_takes_the_address_from_the_fork_it_runs_in(name):
    text = (REPOSITORY / ".github" / "workflows" / name).read_text()
    assert workflow(name)["env"]["COURSE_REPOSITORY"] == "${{ github.server_url }}/${{ github.repository }}"
    assert "github.com/" not in text


def test_make_installs_the_sites_extra_and_the_tests_of_pages_are_left_to_test_all():
    makefile = (REPOSITORY / "Makefile").read_text()
    assert ".venv/site: .venv/installed pyproject.toml constraints.txt\n" in makefile and '".[site]"' in makefile
    assert "site colab: .venv/site\n" in makefile and "test-pages: site\n" in makefile
    assert "test-all: test test-pages test-grading\n" in makefile
    assert "make test\nmake test-pages\n" in (REPOSITORY / ".ci" / "run").read_text()
