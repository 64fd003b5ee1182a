"""What must hold in the built site and needs no browser: links, anchors, alternative texts, sizes."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from course_tools.markdown_checks import is_file_name

PAGE_BYTES, SITE_BYTES = 3_000_000, 25_000_000


@dataclass
class Page:
    """What one HTML file refers to, and what can be referred to in it."""

    links: list[str] = field(default_factory=list)  # followed by a reader
    files: list[str] = field(default_factory=list)  # loaded with the page: pictures, styles, scripts
    anchors: set[str] = field(default_factory=set)
    pictures: list[tuple[str, str | None]] = field(default_factory=list)  # address and alternative text


def read_page(path: Path) -> Page:
    """Parses the HTML file at `path`."""
    page = Page()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            values = dict(attributes)
            if "id" in values:
                page.anchors.add(values["id"])
            if tag == "a" and values.get("href"):
                page.links.append(values["href"])
            elif tag == "link" and values.get("href"):
                relation = values.get("rel") or ""
                loaded = relation in ("stylesheet", "icon", "preload", "modulepreload")
                (page.files if loaded else page.links).append(values["href"])
            elif tag in ("img", "script", "source", "iframe") and values.get("src"):
                page.files.append(values["src"])
            if tag == "img":
                page.pictures.append((values.get("src") or "", values.get("alt")))

    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return page


def html_pages(folder: Path) -> list[Path]:
    """The site's pages in order; the theme keeps templates of its own under _static, which are none."""
    return sorted(path for path in folder.rglob("*.html") if "_static" not in path.relative_to(folder).parts)


def page_problems(folder: Path) -> list[str]:
    """Every link that leads nowhere, file that is loaded from elsewhere, picture without a text, in `folder`."""
    pages = {path.resolve(): read_page(path) for path in html_pages(folder)}
    problems = []
    for path, page in pages.items():
        where = path.relative_to(folder.resolve())
        for address in page.files:
            parts = urlsplit(address)
            if parts.netloc:
                problems.append(f"{where}: loads {address} from another machine")
            elif parts.scheme != "data" and not target(path, parts.path).is_file():
                problems.append(f"{where}: loads {address}, which is not there")
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            goal = target(path, parts.path)
            if goal.is_dir():
                goal = goal / "index.html"
            if not goal.is_relative_to(folder.resolve()) or not goal.is_file():
                problems.append(f"{where}: links to {address}, which is not there")
            elif parts.fragment and goal in pages and unquote(parts.fragment) not in pages[goal].anchors:
                problems.append(f"{where}: links to {address}, and the page has no such anchor")
        for address, text in page.pictures:
            if text is None or not text.strip() or is_file_name(text):
                short = address if len(address) < 80 else address[:40] + "…"
                problems.append(f"{where}: the picture {short} has no alternative text (alt={text!r})")
    return problems


def target(page: Path, address: str) -> Path:
    """The file that a relative `address` on `page` means; the page itself for ""."""
    return (page.parent / unquote(address)).resolve() if address else page


def page_bytes(path: Path) -> int:
    """The size of a page with the pictures on it; styles and scripts, the same on every page, are not counted."""
    page = read_page(path)
    pictures = {target(path, urlsplit(address).path) for address, _ in page.pictures if not address.startswith("data:")}
    return path.stat().st_size + sum(picture.stat().st_size for picture in pictures if picture.is_file())


def size_problems(folder: Path, page_limit: int = PAGE_BYTES, site_limit: int = SITE_BYTES) -> list[str]:
    """Pages that are too heavy, and the whole where it is."""
    problems = []
    for path in html_pages(folder):
        if (size := page_bytes(path)) > page_limit:
            where = path.relative_to(folder)
            problems.append(f"{where}: {size / 1e6:.1f} MB with its pictures, allowed are {page_limit / 1e6:.1f}")
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total > site_limit:
        problems.append(f"the site has {total / 1e6:.1f} MB, allowed are {site_limit / 1e6:.1f}")
    return problems
