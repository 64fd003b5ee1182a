"""What must hold in a lesson's text, so that JupyterLab, Colab, a code host and the site show the same.

The checks have the form of those in `notebook_checks`, and also get the folder that links start from.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


def one_title_and_headings_in_order(notebook, folder: Path):
    levels = [
        (number, int(token.tag[1]))
        for number, tokens in _markdown(notebook)
        for token in tokens
        if token.type == "heading_open"
    ]
    if not levels or levels[0] != (1, 1):
        yield 1, "must begin the lesson with its title, a heading of level 1"
    for (_, before), (number, level) in zip(levels, levels[1:]):
        if level == 1:
            yield number, "has a second heading of level 1"
        if level > before + 1:
            yield number, f"has a heading of level {level} under one of level {before}"


def plain_commonmark(notebook, folder: Path):
    for number, tokens in _markdown(notebook):
        for token in _flat(tokens):
            if token.type == "fence" and token.info.startswith("{"):
                yield number, f"has a directive that only the site knows: ```{token.info}"
            if token.type == "text":
                if re.match(r"\s*:::", token.content):
                    yield number, f"has a directive that only the site knows: {token.content}"
                if re.search(r"\{[\w:-]+\}$", token.content) and _before_code(tokens, token):
                    yield number, f"has a role that only the site knows: {token.content[-20:]}`…`"
                if re.search(r"\[\^[\w-]+\]", token.content):
                    yield number, f"has a footnote, which not every viewer shows: {token.content}"


def links_lead_somewhere(notebook, folder: Path):
    for number, tokens in _markdown(notebook):
        for target in _targets(tokens):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto") or not parts.path:
                continue
            if parts.scheme or parts.path.startswith("/"):
                yield number, f"links to {target}, which exists on one machine only"
            elif not (folder / unquote(parts.path)).exists():
                yield number, f"links to {target}, which does not exist"


def pictures_have_a_sentence(notebook, folder: Path):
    for number, tokens in _markdown(notebook):
        alternatives = [token.content for token in _flat(tokens) if token.type == "image"]
        alternatives += [attributes.get("alt") or "" for attributes in _html(tokens, "img")]
        for alt in alternatives:
            if len(alt.split()) < 3 or is_file_name(alt):
                yield number, f"has a picture whose alternative text is no sentence: {alt!r}"


MARKDOWN_CHECKS = (
    one_title_and_headings_in_order,
    plain_commonmark,
    links_lead_somewhere,
    pictures_have_a_sentence,
)


def is_file_name(text: str) -> bool:
    """Whether an alternative text is but the name of a picture.

    >>> is_file_name("figures/loss curve.png"), is_file_name("The loss falls from 2.3 to 0.4.")
    (True, False)
    """
    return re.search(r"\.(png|jpe?g|gif|svg|webp)$", text.strip(), re.IGNORECASE) is not None


def _markdown(notebook):
    """Number and parsed tokens of each markdown cell."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            yield number, parser.parse(cell.source)


def _flat(tokens):
    for token in tokens:
        yield token
        yield from _flat(token.children or ())


def _before_code(tokens, text) -> bool:
    """Whether the token `text` stands directly before code, as the name of a role does."""
    flat = list(_flat(tokens))
    at = next(index for index, token in enumerate(flat) if token is text)
    return at + 1 < len(flat) and flat[at + 1].type == "code_inline"


def _targets(tokens):
    for token in _flat(tokens):
        if token.type in ("link_open", "image"):
            yield str(token.attrGet("href") or token.attrGet("src"))
    for tag, key in (("a", "href"), ("img", "src")):
        yield from (attributes[key] for attributes in _html(tokens, tag) if attributes.get(key))


def _html(tokens, tag: str) -> list[dict]:
    """The attributes of every `tag` in the cell's raw HTML."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, name, attributes):
            if name == tag:
                found.append(dict(attributes))

    reader = Reader()
    for token in _flat(tokens):
        if token.type in ("html_block", "html_inline"):
            reader.feed(token.content)
    return found
