"""The parts that a report is made of, before they become HTML or Markdown; backticks in their texts mark code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

__all__ = ["Answers", "Block", "Bullets", "Document", "Fold", "Heading", "Listing", "Paragraph", "Picture", "Table"]


@dataclass(frozen=True, slots=True)
class Heading:
    """The begin of a section.

    Attributes
    ----------
    text
        Its title.
    anchor
        What an address ends in to reach it.
    """

    kind: ClassVar[str] = "heading"
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences.

    Attributes
    ----------
    text
        The sentences.
    """

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """Sentences that stand side by side.

    Attributes
    ----------
    items
        One or more sentences each.
    """

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the reader came for.

    Attributes
    ----------
    items
        Purpose, and the sentences that answer it.
    """

    kind: ClassVar[str] = "answers"
    items: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in rows.

    Attributes
    ----------
    title
        What the table shows.
    heads
        One for each column.
    rows
        Cells.
    texts
        Number of columns, from the left, that are words.
    """

    kind: ClassVar[str] = "table"
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure.

    Attributes
    ----------
    name
        Of its files, without the ending.
    alternative
        What it shows, for those who cannot see it.
    caption
        What is needed to read it.
    """

    kind: ClassVar[str] = "picture"
    name: str
    alternative: str
    caption: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Text that is taken literally.

    Attributes
    ----------
    text
        Any number of lines.
    """

    kind: ClassVar[str] = "listing"
    text: str


@dataclass(frozen=True, slots=True)
class Fold:
    """A long part that is folded away.

    Attributes
    ----------
    summary
        What is seen of it.
    blocks
        What is folded.
    """

    kind: ClassVar[str] = "fold"
    summary: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Heading | Paragraph | Bullets | Answers | Table | Picture | Listing | Fold


@dataclass(frozen=True, slots=True)
class Document:
    """A report.

    Attributes
    ----------
    title
        Of the whole.
    blocks
        In order.
    """

    title: str
    blocks: tuple[Block, ...]
