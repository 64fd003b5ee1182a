"""What the browser tests share: Chromium, the built site served from this machine, and pages that keep a log.

They need the extra `site` (`make site` installs it) and a Chromium: named by the environment variable CHROMIUM,
or the system's, or the one that `python -m playwright install chromium` fetches.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SITE = REPOSITORY / "build" / "site"
NO_CHROMIUM = (
    "the browser tests need Chromium: install it (Debian, Ubuntu: apt install chromium), name one in the "
    "environment variable CHROMIUM, or run `python -m playwright install chromium`"
)

collect_ignore = ["conftest.py"]  # it holds no doctest, and tests/ has a module of the same name


def find_chromium(own: str) -> str:
    """The path of a Chromium; `own` is where Playwright would keep its own. Ends the run where there is none."""
    if named := os.environ.get("CHROMIUM"):
        if found := shutil.which(named):
            return found
        pytest.exit(f"CHROMIUM names {named!r}, which cannot be run; {NO_CHROMIUM}", returncode=1)
    names = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None) or shutil.which(own)
    if not found:
        pytest.exit(NO_CHROMIUM, returncode=1)
    return found


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the whole run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a page that was closed before its last file had come


def serve(folder: Path):
    """Serves `folder` on a free port of this machine; returns the server and its address."""
    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture(scope="session")
def site():
    """The address of the built site."""
    from course_tools.site import sources

    page = SITE / "docs" / "index.html"
    newest = max(path.stat().st_mtime for path in sources())
    if not page.exists() or page.stat().st_mtime < newest:
        pytest.exit("build/site is missing or older than its sources: run `make site` first", returncode=1)
    server, address = serve(SITE)
    yield address
    server.shutdown()


class Log:
    """What went wrong on a page: console errors, uncaught exceptions, requests that failed or left the machine."""

    def __init__(self, page):
        self.problems = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", self._request)
        page.on("response", lambda r: r.status >= 400 and self.problems.append(f"status {r.status}: {r.url}"))
        page.on("requestfailed", self._failed)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text}")

    def _failed(self, request):
        # A page that is left gives up what it was still fetching, as the search page does with its excerpts.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed request: {request.url} ({request.failure})")

    def _request(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.problems.append(f"request off the machine: {request.url}")


@pytest.fixture
def open_page(browser):
    """Call it with width and colour scheme: a new page with `page.log`; all are closed after the test."""
    contexts = []

    def open_page(width=1400, scheme="light", height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.log = Log(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
