"""One page shell for all interactive figures: sources, data and still picture put together in one piece of HTML.

The HTML is the same, byte for byte, on every machine, because strict nbval compares it: the still pictures are files
that were made once, nothing is drawn here, and nothing is numbered or named by chance.
"""

import base64
import json
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent
STILL = ("A still picture: where scripts run, as on the course's pages and in a trusted notebook, "
         "you can operate this figure.")


class Figure:
    """What a lesson's cell shows: HTML with its own script, and a short text where there is no HTML."""

    def __init__(self, name, sources, data, *, title, alt):
        self.name, self.sources, self.data, self.title, self.alt = name, sources, data, title, alt

    def __repr__(self):
        return f"Interactive figure: {self.title}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": repr(self)}

    def html(self):
        """The figure as a piece of HTML; its script takes the still picture's place."""
        still = data_uri(FOLDER / "stills" / f"{self.name}.png", "image/png")
        return (f'<div class="course-figure" data-figure="{self.name}">\n'
                f'<img src="{still}" alt="{escape(self.alt)}" style="max-width: 100%; height: auto">\n'
                f"<p><em>{escape(STILL)}</em></p>\n</div>\n<script>\n{self.script()}</script>\n")

    def script(self):
        """The sources behind each other in one function, so that no name of theirs is seen outside."""
        constants = {"TITLE": self.title, "STYLE": read("shared.css"), "DATA": self.data}
        lines = [f"const {name} = {as_script(value)};" for name, value in constants.items()]
        sources = [read(name) for name in ("shared.js", *self.sources)]
        return "\n".join(["(() => {", '"use strict";', *lines, *sources, "})();", ""])


def read(name):
    """A source file as text; line ends as in the repository, whatever a checkout made of them."""
    return (FOLDER / name).read_text(encoding="utf-8")


def as_script(value):
    """A value as JavaScript inside HTML; a number that JSON doesn't have (a run that diverged) becomes null.

    >>> print(as_script({"a": ["</script>", float("nan"), 0.1]}))
    {"a":["<\\/script>",null,0.1]}
    """
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def finite(value):
    """The same lists, dicts and numbers, with None for what is infinite or no number."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def data_uri(path, kind):
    """A committed picture as the address that holds it."""
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing in {path.parent}: `git checkout course_tools/interactive` brings "
                                "it back, `python -m course_tools.interactive` makes the stills anew")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def photograph_uri():
    """The cat of the lessons, `photograph("chelsea.png")[:, :230, 56:286]` at 224×224 pixels, as a JPEG.

    Whose photograph it is, and under which licence, says data/README.md.
    """
    return data_uri(FOLDER / "cat.jpg", "image/jpeg")
