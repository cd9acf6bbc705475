"""Where the cards are."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from zbench.datasets.cards import Card
from zbench.errors import DataError, PresetError, UnknownNameError

__all__ = ["card", "card_names", "registry_root"]


def registry_root() -> Path:
    """Find the folder with the cards.

    Returns
    -------
    Path
        That of the installed package, or of the repository when zbench runs from it.

    Raises
    ------
    DataError
        If there is neither.
    """
    places = (Path(str(resources.files("zbench"))) / "data_registry", Path(__file__).parents[2] / "data_registry")
    for place in places:
        if place.is_dir():
            return place
    msg = f"The registry is a folder of cards: looked in {' and '.join(map(str, places))}. Install zbench again."
    raise DataError(msg)


@lru_cache
def _cards() -> dict[str, Card]:
    found: dict[str, Card] = {}
    for path in sorted(registry_root().glob("*.toml")):
        read = Card.parse(path.read_text(encoding="utf-8"), where=str(path))
        if read.name != path.stem:
            msg = f"A card is named as its file: {path} says {read.name!r}."
            raise PresetError(msg)
        found[read.name] = read
    return found


def card_names() -> tuple[str, ...]:
    """List the registry.

    Returns
    -------
    tuple of str
        Names of all datasets, sorted.
    """
    return tuple(_cards())


def card(name: str) -> Card:
    """Look a dataset up.

    Parameters
    ----------
    name
        Its name or one of its aliases.

    Returns
    -------
    Card
        Its card.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    cards = _cards()
    if name in cards:
        return cards[name]
    for candidate in cards.values():
        if name in candidate.aliases:
            return candidate
    raise UnknownNameError.of(kind="dataset", name=name, known=cards)
