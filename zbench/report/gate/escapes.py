"""Foreign text in a comment: names and reasons come from the code that is measured, and must stay text."""

from __future__ import annotations

import html
import re

__all__ = ["code", "fenced", "prose", "shortened", "writable"]

# What has a meaning within a code span of a table, or would end it.
_UNSAFE_CODE = re.compile(r"[`|\\]")
_MARKS = re.compile(r"([\\`*_{}\[\]<>~&$!])")
# Mentions and references are looked for in the text that is shown, where a backslash is gone.
_REFERENCES = re.compile(r"[@#](?=\w)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINES = re.compile(r"\s+")
_ENTITIES = str.maketrans({mark: f"&#{ord(mark)};" for mark in "`|\\*_[]~$!@:."})


def writable(text: str) -> str:
    """Replace what no file or service takes.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        With a sign in the place of each control character and each half of a character.
    """
    return _UNWRITABLE.sub("\ufffd", text)


def shortened(text: str, most: int) -> str:
    """Cut a text.

    Parameters
    ----------
    text
        Any text.
    most
        Characters that are kept.

    Returns
    -------
    str
        On one line, with an ellipsis where it was cut.
    """
    line = writable(_LINES.sub(" ", text)).strip()
    return line if len(line) <= most else f"{line[: most - 1]}…"


def code(text: str, *, most: int = 160) -> str:
    """Write a text as code, in which nothing means anything.

    Parameters
    ----------
    text
        Any text.
    most
        Characters that are kept.

    Returns
    -------
    str
        Markdown, safe in a table too; empty for no text.
    """
    line = shortened(text, most)
    if not line:
        return ""
    if not _UNSAFE_CODE.search(line):
        return f"`{line}`"
    return f"<code>{html.escape(line, quote=False).translate(_ENTITIES)}</code>"


def prose(text: str, *, most: int = 600) -> str:
    """Write a text as words, in which nothing is a mark, a mention or a reference.

    Parameters
    ----------
    text
        Any text.
    most
        Characters that are kept.

    Returns
    -------
    str
        Markdown.
    """
    # Not the bar: tables put a backslash before it, and after one of ours it would end the cell.
    marked = _MARKS.sub(r"\\\1", shortened(text, most))
    return _REFERENCES.sub("\\g<0>\u200b", marked)


def fenced(text: str) -> str:
    """Write a text as a block of code.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        Markdown, with a fence that the text cannot end.
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
