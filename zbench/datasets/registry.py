"""Where the cards are."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from zbench.datasets.cards import Card
from zbench.errors import DataError, PresetError, UnknownNameError

__all__ = ["card", "card_names", "read_cards", "registry_root"]


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


def read_cards(folder: Path) -> dict[str, Card]:
    """Read the cards of a folder.

    Parameters
    ----------
    folder
        Holds a TOML file for each dataset.

    Returns
    -------
    dict of str to Card
        By name, sorted.

    Raises
    ------
    PresetError
        If a card breaks a rule, is not named as its file, or has a name that another has too.
    """
    found: dict[str, Card] = {}
    owners: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        read = Card.parse(path.read_text(encoding="utf-8"), where=str(path))
        if read.name != path.stem:
            msg = f"A card is named as its file: {path} says {read.name!r}. Rename one of them."
            raise PresetError(msg)
        for name in {read.name, *read.aliases}:
            if name in owners:
                msg = f"A name or alias means one dataset: {name!r} is on {owners[name]} and on {path}. Change one."
                raise PresetError(msg)
            owners[name] = path
        found[read.name] = read
    return found


@lru_cache
def _cards() -> dict[str, Card]:
    return read_cards(registry_root())


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
