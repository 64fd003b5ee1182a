"""An executed lesson as one HTML file that needs no network: formulas become MathML, pictures lie inside.

nbconvert's own page fetches MathJax, Mermaid and require.js from elsewhere, and forgets the figures'
alternative texts. Of the scripts the lessons need formulas only, and current browsers draw MathML themselves.
"""

import html

TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block data_png scoped %}<div class="jp-RenderedImage jp-OutputArea-output">
<img src="data:image/png;base64,{{ output.data['image/png'] | e }}" style="max-width: 100%"
     alt="{{ (output | get_metadata('alt', 'image/png') or '') | e }}"></div>{% endblock %}"""


def to_html(notebook, title: str, folder: str) -> str:
    """Returns `notebook` as a page; the pictures that its markdown names are read from `folder`."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body):
            return mathml(body)

        def block_math(self, body):
            return mathml(body, display="block")

        def block_html(self, html):  # nbconvert's parser would close <details> at once
            return super().block_html(html) if "<img" in html else html

    def markdown(source):
        return MarkdownWithMath(renderer=Renderer(escape=False, embed_images=True, path=folder)).render(source)

    exporter = HTMLExporter(
        template_file="lesson.j2",
        extra_loaders=[DictLoader({"lesson.j2": TEMPLATE})],
        filters={"markdown2html": markdown},
    )
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return page


def mathml(latex: str, display: str = "inline") -> str:
    """Formula `latex` as MathML ("inline" or as a "block"); what cannot be converted is shown as written.

    >>> mathml("C^2").count("<msup><mi>C</mi><mn>2</mn></msup>")
    1
    >>> mathml("x^")
    '<code>x^</code>'
    """
    from latex2mathml.converter import convert

    try:
        # Without the namespace, which HTML does not need and nbconvert's headings stumble over.
        return convert(latex.strip(), xmlns="", display=display).replace(' xmlns=""', "")
    except Exception:  # the converter has a dozen error types without a common one
        return f"<code>{html.escape(latex)}</code>"
