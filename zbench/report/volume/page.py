"""A report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

from zbench.report.volume.palette import DARK, LIGHT, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbench.report.volume.blocks import Document

__all__ = ["html"]


def html(document: Document, drawings: Mapping[str, str]) -> str:
    """Write a report as HTML.

    Parameters
    ----------
    document
        The report.
    drawings
        SVG of each picture, by its name.

    Returns
    -------
    str
        With style and pictures inside, and no script.
    """
    # Imported here: a floor that only shows the report's nouns need not have it.
    import jinja2  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    def inline(told: str) -> Markup:
        pieces = told.split("`")
        if len(pieces) % 2 == 0:
            pieces = ["'".join(pieces)]
        marked = (Markup("<code>{}</code>").format(piece) if place % 2 else piece for place, piece in enumerate(pieces))
        return Markup("").join(marked)

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["inline"] = inline
    shown = {name: Markup(_embedded(svg, name)) for name, svg in drawings.items()}  # noqa: S704 - our own drawings
    page: str = environment.from_string(_asset("page.html.j2")).render(
        document=document,
        drawings=shown,
        style=Markup(_style()),  # noqa: S704 - our own file
        headings=[block for block in document.blocks if block.kind == "heading"],
    )
    return page


def _asset(name: str) -> str:
    return resources.files("zbench.report.volume").joinpath("assets", name).read_text(encoding="utf-8")


def _style() -> str:
    """Put the colours of the figures before the rules, so that one palette serves both."""
    light, dark = (
        " ".join(f"{variable(name)}: {colour};" for name, colour in scheme.items()) for scheme in (LIGHT, DARK)
    )
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{_asset('page.css')}"


def _embedded(svg: str, name: str) -> str:
    """Make a drawing part of a page: no prologue, names of its own, colours that follow the scheme."""
    body = svg[svg.index("<svg") :]
    # The style would hold for the whole page; page.css has the same for drawings alone.
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    colours = {colour.lower(): variable(part) for part, colour in LIGHT.items()}
    return re.sub(
        r"#[0-9a-fA-F]{6}\b",
        lambda found: f"var({colours[found[0].lower()]})" if found[0].lower() in colours else found[0],
        body,
    )
