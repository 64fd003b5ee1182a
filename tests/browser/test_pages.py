"""Every page of the site in Chromium: wide and narrow, light and dark, with nothing that only looks right here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from course_tools.site_checks import html_pages, page_problems, read_page, size_problems

REPOSITORY = Path(__file__).parents[2]
SITE = REPOSITORY / "build" / "site"
WIDTHS = {"wide": 1400, "narrow": 390}
# Without preload: it would put the styles into the page once more, where what they import is not found.
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
WCAG = {"preload": False, "resultTypes": ["violations"], "runOnly": RULES}
LESSONS = [f"notebooks/{path.stem}" for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb"))]
TEXTS = [f"docs/{path.stem}" for path in sorted((REPOSITORY / "docs").glob("*.md"))]
FOLDERS = ("exercises", "solutions")
EXERCISES = [f"notebooks/{folder}/{Path(lesson).name}" for folder in FOLDERS for lesson in LESSONS]
PAGES = [*TEXTS, *LESSONS, *EXERCISES, "data/README", "search", "genindex"]


def visit(page, address):
    """Opens `address` and waits until its scripts, pictures and formulas are done."""
    page.goto(address, wait_until="load")
    page.evaluate("() => Promise.all([window.MathJax?.startup?.promise, document.fonts.ready]).then(() => null)")
    return page


def overflow(page):
    """What sticks out of the window to the right, by element; nothing on a page that fits."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          return [...document.querySelectorAll("body *")]
            .filter((element) => element.getBoundingClientRect().right > width + 1)
            .map((element) => `${element.tagName}.${element.className}`).slice(0, 5);
        }"""
    )


def violations(page, colours=True):
    """What axe finds against WCAG 2.1 AA: rule, and the first elements that break it."""
    found = Axe().run(page, options={**WCAG, "rules": {"color-contrast": {"enabled": colours}}}).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"][:3]]) for rule in found]


def test_every_page_that_was_built_is_tested():
    built = {page.relative_to(SITE).with_suffix("").as_posix() for page in html_pages(SITE)}
    assert built == {*PAGES, "index"}  # index.html only leads on


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page(name, width, scheme, site, open_page):
    page = visit(open_page(WIDTHS[width], scheme), f"{site}/{name}.html")
    assert page.locator("html").get_attribute("data-theme") == scheme
    assert page.locator("h1:visible").count() == 1
    assert overflow(page) == []
    formulas = page.locator(".math").count()
    assert page.locator("mjx-container").count() >= formulas and page.locator("mjx-merror").count() == 0
    unnamed = "images => images.filter(i => !i.alt.trim() || /^\\S+\\.\\w{2,5}$/.test(i.alt.trim())).map(i => i.src)"
    assert page.locator("img").evaluate_all(unnamed) == []
    broken = "images => images.filter(i => i.naturalWidth === 0).map(i => i.src)"
    assert page.locator("img").evaluate_all(broken) == []
    # Contrasts take axe most of its time, and are the same at any width.
    assert violations(page, colours=width == "wide") == []
    assert page.log.problems == []


def test_site_is_whole_and_light():
    assert page_problems(SITE) + size_problems(SITE) == []


def test_start_page_leads_to_the_landing_page(site, open_page):
    page = open_page()
    page.goto(f"{site}/", wait_until="load")
    page.wait_for_url("**/docs/index.html")
    page.locator(".sd-card", has_text="2. Receptive fields").click()
    page.wait_for_url("**/notebooks/02_receptive_fields.html")
    assert page.log.problems == []


def test_search_finds_receptive_field_and_leads_to_lesson_2(site, open_page):
    page = visit(open_page(), f"{site}/docs/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("receptive field")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=receptive+field")
    found = page.locator("#search-results a", has_text="2. Receptive fields").first
    found.click()
    page.wait_for_url("**/notebooks/02_receptive_fields.html*")
    assert page.locator("h1:visible").inner_text().startswith("2. Receptive fields")
    assert page.log.problems == []


def test_figures_keep_their_white_ground_in_the_dark(site, open_page):
    page = visit(open_page(390, "dark"), f"{site}/notebooks/02_receptive_fields.html")
    shown = "images => images.map(i => [getComputedStyle(i).backgroundColor, getComputedStyle(i).filter])"
    figures = page.locator(".cell_output img[src^='../_images']").evaluate_all(shown)
    assert len(figures) > 5 and all(figure == ["rgb(255, 255, 255)", "none"] for figure in figures)


def test_what_scrolls_can_be_scrolled_by_keyboard(site, open_page):
    page = visit(open_page(390), f"{site}/notebooks/02_receptive_fields.html")
    code = page.locator("div.highlight pre").filter(has_text="course_tools.figures").first
    assert code.evaluate("e => e.scrollWidth > e.clientWidth")
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => e.scrollLeft > 0", arg=code.element_handle())


def test_no_heavy_script_holds_a_page_up(site, open_page):
    page = visit(open_page(), f"{site}/{LESSONS[1]}.html")
    blocking = """scripts => scripts.filter(s => s.src && !s.defer && !s.async && s.type !== "module"
      && s.closest("head")).map(s => s.src)"""
    for address in page.locator("script").evaluate_all(blocking):
        file = SITE / address.removeprefix(f"{site}/").partition("?")[0]
        assert file.stat().st_size < 100_000, f"{file.name} is loaded before the page is shown"
    assert "defer" in page.locator("script[src*='mathjax/']").evaluate("s => s.defer ? 'defer' : ''")


@pytest.fixture(scope="module")
def site_of_a_fork(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fork") / "site"
    environment = {**os.environ, "COURSE_REPOSITORY": "https://github.com/NAME/COURSE", "COURSE_REF": "main"}
    build = [sys.executable, "-m", "course_tools", "site", "--into", folder]
    subprocess.run(build, cwd=REPOSITORY, env=environment, check=True)
    return folder


def test_every_page_of_a_fork_has_buttons_and_no_other_does(site_of_a_fork):
    launchers = ("https://colab.research.google.com/", "https://mybinder.org/")
    for page in (*TEXTS, *LESSONS, "data/README"):
        links = [link for link in read_page(site_of_a_fork / f"{page}.html").links if link.startswith(launchers)]
        assert len(links) == 2, page
        assert ("github/NAME/COURSE/blob/colab/" in links[0]) and ("gh/NAME/COURSE/main" in links[1])
        if page in LESSONS:
            assert all(link.endswith(f"{page}.ipynb") for link in links)
        if not os.environ.get("COURSE_REPOSITORY"):
            assert not [link for link in read_page(SITE / f"{page}.html").links if link.startswith(launchers)]


@pytest.mark.parametrize("width", WIDTHS)
def test_buttons_open_by_keyboard_and_load_nothing(width, site_of_a_fork, open_page):
    from conftest import serve

    server, address = serve(site_of_a_fork)
    page = visit(open_page(WIDTHS[width]), f"{address}/{LESSONS[2]}.html")
    page.get_by_role("button", name="Run it yourself").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Colab").wait_for(state="visible")
    assert overflow(page) == [] and violations(page) == []
    assert page.log.problems == []
    server.shutdown()
