"""A report as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbench.report import text
from zbench.report.volume.blocks import Answers, Bullets, Fold, Heading, Listing, Paragraph, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbench.report.volume.blocks import Block, Document

__all__ = ["markdown"]

# What Markdown would take for markup; the bars of tables are the business of `text.table`.
_SPECIAL = re.compile(r"([\\*_~]|\](?=[(\[:]))")
# At the begin of a line a number with a full stop makes a list, and so does a sign; other signs make a heading.
_BEGIN = re.compile(r"^(\d+)([.)])(?=\s)|^([-+#])(?=[\s#])")


def markdown(document: Document) -> str:
    """Write a report as Markdown.

    Parameters
    ----------
    document
        The report.

    Returns
    -------
    str
        GitHub's flavour; pictures are the SVG files beside it.
    """
    return "\n\n".join([f"# {_inline(document.title)}", *_written(document.blocks)]) + "\n"


def _written(blocks: Iterable[Block]) -> list[str]:
    return [written for block in blocks if (written := _block(block))]


def _block(block: Block) -> str:  # noqa: PLR0911 - one line for each kind
    match block:
        case Heading():
            return f"## {_inline(block.text)}"
        case Paragraph():
            return _inline(block.text)
        case Bullets():
            return "\n".join(f"- {_inline(item)}" for item in block.items)
        case Answers():
            return "\n".join(f"- **{_inline(title)}**: {_inline(' '.join(told))}" for title, told in block.items)
        case Picture():
            alternative = _inline(block.alternative).replace("[", "(").replace("]", ")")
            return f"![{alternative}]({block.name}.svg)\n\n{_inline(block.caption)}"
        case Listing():
            return _listing(block.text)
        case Fold():
            # HTML begins a summary, so what stands in it is HTML too.
            return text.details(_html(block.summary), "\n\n".join(_written(block.blocks)))
        case _:
            cells = ([_inline(cell) for cell in row] for row in block.rows)
            table = text.table([_inline(head).replace("|", "\\|") for head in block.heads], cells, texts=block.texts)
            return f"{_inline(block.title)}:\n\n{table}" if table else ""


def _listing(code: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code}\n{fence}"


def _html(told: str) -> str:
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "")


def _inline(told: str) -> str:
    """Escape what stands between code; code itself is literal."""
    pieces = " ".join(told.split()).split("`")
    if len(pieces) % 2 == 0:
        pieces = ["'".join(pieces)]
    pieces[::2] = [_SPECIAL.sub(r"\\\1", _entities(piece)) for piece in pieces[::2]]
    return _BEGIN.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", "`".join(pieces))


def _entities(piece: str) -> str:
    return piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
