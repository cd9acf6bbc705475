"""What can be swept, and what is held still meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from zbench.errors import UnknownNameError

__all__ = ["AXIS_NAMES", "Axis", "axis_named"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """A package whose releases are compared.

    Attributes
    ----------
    name
        Of the package.
    engine
        Through which its releases are measured.
    since
        The first release that is measured unless told otherwise.
    held
        What is installed beside it: the first of these sets of requirements that a release can be installed and used
        with. The fewer sets there are, the less differs between two releases but the package itself.
    layouts
        Of the small arrays that requests are counted on.
    """

    name: str
    engine: str
    since: str
    held: tuple[tuple[str, ...], ...]
    layouts: tuple[str, ...] = ("v2-c32", "v3-c32", "v3-c32-s64")


# zarr 2 needs a numcodecs below 0.16, zarr 3.4 one above; between them nothing but zarr itself has to move.
_AXES = (
    Axis(
        name="zarr",
        engine="zarr-python",
        since="2.16",
        held=(
            ("numcodecs==0.15.2", "numpy==2.2.6"),
            ("numcodecs==0.16.6", "numpy==2.2.6"),
            ("numcodecs==0.15.2", "numpy==1.26.4"),
            (),
        ),
    ),
    Axis(
        name="numcodecs",
        engine="zarr-python",
        since="0.13",
        held=(("zarr==3.1.6", "numpy==2.2.6"), ("zarr==2.18.7", "numpy==2.2.6"), ("zarr==2.18.7", "numpy==1.26.4"), ()),
    ),
    Axis(
        name="tensorstore",
        engine="tensorstore",
        since="0.1.60",
        held=(("zarr==3.1.6", "numcodecs==0.16.6", "numpy==2.2.6"), ("zarr==2.18.7", "numpy==1.26.4"), ()),
    ),
    Axis(
        name="zarrs",
        engine="zarrs",
        since="0.1",
        # Its requests are seen at a server, which zarr reaches by obstore.
        held=(
            ("zarr==3.1.6", "numcodecs==0.16.6", "numpy==2.2.6", "obstore==0.12.1"),
            ("zarr==3.0.10", "numcodecs==0.16.6", "numpy==2.2.6", "obstore==0.12.1"),
            (),
        ),
    ),
)
AXIS_NAMES = tuple(axis.name for axis in _AXES)


def axis_named(name: str) -> Axis:
    """Get what can be swept by its name.

    Parameters
    ----------
    name
        One of `AXIS_NAMES`.

    Returns
    -------
    Axis
        What is swept, and what is held still.

    Raises
    ------
    UnknownNameError
        If nothing of that name can be swept.
    """
    for axis in _AXES:
        if axis.name == name:
            return axis
    raise UnknownNameError.of(kind="axis", name=name, known=AXIS_NAMES)
