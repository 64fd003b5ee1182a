"""Make the still pictures of the interactive figures anew, by opening each in a browser.

    python -m course_tools.interactive            all of them
    python -m course_tools.interactive NAME …     some, as in field-explorer

They are committed, and the figures' HTML holds them: afterwards run the lessons again that show these figures. It
needs Playwright (`pip install -e ".[site]"`) and a Chromium, named by $CHROMIUM, on the PATH, or Playwright's own.
"""

import io
import os
import shutil
import sys

from . import convolution_stepper, cost_calculator, field_explorer, pooling_shift, run_explorer
from .page import FOLDER

FIGURES = (convolution_stepper, pooling_shift, field_explorer, cost_calculator, run_explorer)
LARGEST = 40_000  # bytes
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main(names):
    """Write the stills of the figures in `names`, of all if there are none."""
    from playwright.sync_api import sync_playwright

    figures = {make().name: make() for make in FIGURES}
    unknown = set(names) - set(figures)
    if unknown:
        raise SystemExit(f"unknown figure {', '.join(sorted(unknown))}: there are {', '.join(figures)}")
    with sync_playwright() as playwright:
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        page = browser.new_page(viewport={"width": 780, "height": 1000}, color_scheme="light")
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: print(f"the script fails: {error}", file=sys.stderr))
        for name in names or figures:
            picture = still(page, figures[name])
            (FOLDER / "stills" / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture):,} bytes")
        browser.close()


def still(page, figure):
    """The figure as it starts, without its controls, as a PNG of few colours and at most `LARGEST` bytes."""
    from PIL import Image

    page.set_content(f'<!doctype html><body style="margin: 0"><div class="course-figure" data-figure="{figure.name}"></div>'
                     f"<script>{figure.script()}</script></body>")
    drawn = page.locator(".course-figure .figure")
    drawn.evaluate("async figure => { figure.classList.add('still'); await document.fonts.ready;"
                   "await Promise.all([...figure.querySelectorAll('image')].map(image => image.decode?.())); }")
    shot = Image.open(io.BytesIO(drawn.screenshot())).convert("RGB")
    for colours in (256, 192, 128, 96, 64, 32):
        buffer = io.BytesIO()  # an octree keeps a rare colour, such as the window's frame, apart
        shot.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST:
            return buffer.getvalue()
    raise ValueError(f"the still picture of {figure.name} is {buffer.tell():,} bytes, more than {LARGEST:,}")


if __name__ == "__main__":
    main(sys.argv[1:])
