"""The same notebooks in a real JupyterLab: run from top to bottom, and the interactive figures operated there."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat import v4
from playwright.sync_api import TimeoutError

from course_lib import trace, vgg

REPOSITORY = Path(__file__).parents[2]
LESSON = "02_receptive_fields.ipynb"
TINY = "explorer.ipynb"  # displays the explorer and nothing else
MINUTES = 8  # that the whole lesson may take on a busy machine


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """A JupyterLab on a copy of the lessons, with settings of its own; gives its address and its token."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    lesson = nbformat.read(REPOSITORY / "notebooks" / LESSON, as_version=4)
    for cell in lesson.cells:  # nothing that is stored may pass for something that ran
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbformat.write(lesson, folder / "notebooks" / LESSON)
    source = "from course_tools.interactive import field_explorer\nfield_explorer()"
    metadata = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    tiny = v4.new_notebook(cells=[v4.new_code_cell(source)], metadata=metadata)
    nbformat.write(tiny, folder / "notebooks" / TINY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    places = {f"JUPYTER_{what}_DIR": str(folder / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **places, "PYTHONPATH": str(REPOSITORY), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                   "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
               "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.5)
        else:
            pytest.fail("JupyterLab did not answer:\n" + (folder / "log").read_text())
        yield address, token
    finally:
        server.terminate()
        server.wait(30)


def open_notebook(page, jupyterlab, name):
    """Opens a notebook in JupyterLab's window for single documents and waits until its kernel takes orders.

    A kernel is called idle before the page is connected with it, and what is asked in between may get lost.
    """
    address, token = jupyterlab
    page.goto(f"{address}/doc/tree/notebooks/{name}?token={token}&reset")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=60_000)
    page.wait_for_function(
        """() => {
          const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
          const kernel = context?.session?.kernel;
          return context?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle";
        }""",
        timeout=120_000,
    )


def run_all(page, minutes=MINUTES):
    """Runs every cell and waits until all are done, or one failed; returns the notebook as it then is."""
    begun = """() => [...(window.jupyterapp?.shell?.currentWidget?.content?.model?.cells ?? [])]
      .some((cell) => cell.type === "code" && (cell.executionCount || cell.executionState === "running"))"""
    for _ in range(4):  # JupyterLab may lose an order while it is still settling; a person would give it again
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            page.wait_for_function(begun, timeout=20_000, polling=200)
            break
        except TimeoutError:
            continue
    # Every cell counts, and none is running any more.
    page.wait_for_function(
        """() => {
          const model = window.jupyterapp?.shell?.currentWidget?.content?.model;
          const code = [...(model?.cells ?? [])].filter((cell) => cell.type === "code");
          return code.length && (code.every((cell, i) => cell.executionCount === i + 1 && cell.executionState !== "running")
            || code.some((cell) => [...Array(cell.outputs.length).keys()].some((i) => cell.outputs.get(i).type === "error")));
        }""",
        timeout=minutes * 60_000,
        polling=500,
    )
    return page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.toJSON()")


def show_cell(page, name):
    """Scrolls to the cell that calls `name`: JupyterLab keeps only the cells around the window in the page."""
    page.evaluate(
        """async (name) => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          const at = notebook.widgets.findIndex((cell) => cell.model.type === "code"
            && cell.model.sharedModel.getSource().includes(name + "()"));
          notebook.activeCellIndex = at;  // which scrolls as well, so the first wish may be overtaken
          await notebook.scrollToItem(at, "start").catch(() => notebook.scrollToItem(at, "start"));
        }""",
        name,
    )


def operate_explorer(page):
    """Chooses VGG-A in the explorer and moves to the next unit, by keyboard; what is shown must be what trace says."""
    figure = page.locator(".course-figure[data-figure='field-explorer']").last
    figure.get_by_role("combobox", name="net").select_option("VGG-A")
    figure.locator("tbody button").last.press("Enter")
    with torch.device("meta"):
        last = [row for row in trace(vgg("A"), (1, 1, 224, 224)).rows if row.kind == "MaxPool2d"][-1]
    cells = figure.locator("tbody tr").last.locator("td").all_inner_texts()
    assert [int(cell.replace("\u2212", "-")) for cell in cells[1:4]] == [
        last.receptive_field[0], last.jump[0], last.start[0]
    ]
    slider = figure.get_by_label("unit’s row")
    before = int(slider.input_value())
    slider.press("ArrowLeft")
    assert f"Unit ({before - 1}, " in figure.locator("svg").get_attribute("aria-label")


def test_explorer_works_in_jupyterlab_as_on_a_page(jupyterlab, open_page):
    page = open_page()
    open_notebook(page, jupyterlab, TINY)
    run_all(page, minutes=4)
    operate_explorer(page)
    assert not [problem for problem in page.log.problems if problem.startswith(("exception", "request off"))]


def test_lesson_2_runs_in_jupyterlab_and_its_explorer_can_be_operated(jupyterlab, open_page):
    page = open_page()
    open_notebook(page, jupyterlab, LESSON)
    notebook = run_all(page)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    errors = [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert errors == []
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])
    if any("field_explorer" in "".join(cell["source"]) for cell in code):
        show_cell(page, "field_explorer")
        operate_explorer(page)
    assert not [problem for problem in page.log.problems if problem.startswith(("exception", "request off"))]
