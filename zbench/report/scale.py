"""The page on growth: how time, memory and objects follow the size of a volume, and what that says of larger ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.report.text import NOTHING, interval, listed, number
from zbench.report.volume.blocks import Bullets, Document, Heading, Listing, Paragraph, Table
from zbench.report.volume.contrast import Measured
from zbench.report.volume.words import asked, code, counted, duration, named, plain
from zbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbench.report.volume.blocks import Block, Picture
    from zbench.report.volume.evidence import Configuration
    from zbench.stats import Interval
    from zbench.stats.scaling import PowerLaw

__all__ = ["MEMORY", "OBJECTS", "STORED", "TIME", "Growth", "Scaled", "SizePoint", "quantity_text", "scale_document"]

TIME = "wall_time"
MEMORY = "added_memory"
OBJECTS = "objects"
STORED = "stored_bytes"

_TITLES = {
    TIME: "Time",
    MEMORY: "Memory beyond the idle process",
    STORED: "Stored bytes",
    OBJECTS: "Objects",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SizePoint:
    """What was measured at one size.

    Attributes
    ----------
    size
        Voxels an axis of the cube.
    value
        In the unit of the quantity.
    low, high
        Ends of the interval; ``None`` without one.
    processes
        Number of processes that it rests on; 0 for what is exact.
    """

    size: int
    value: float
    low: float | None = None
    high: float | None = None
    processes: int = 0

    @property
    def measured(self) -> Measured:
        """The value with its interval."""
        return Measured(self.value, self.low, self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """One quantity of one configuration over sizes.

    Attributes
    ----------
    configuration
        How the volume is stored, and by whom.
    operation
        Access pattern or ``write``; empty for what holds of the stored array.
    quantity
        `TIME` in seconds, `MEMORY` and `STORED` in bytes, or `OBJECTS`.
    points
        By size.
    law
        Fitted to the points; ``None`` where the quantity is exact at any size, or there is none.
    ahead
        At the size that was asked for; of equal ends where it is exact, ``None`` where it cannot be told.
    note
        Why there is no law; empty if there is one, or none is needed.
    """

    configuration: Configuration
    operation: str
    quantity: str
    points: tuple[SizePoint, ...]
    law: PowerLaw | None = None
    ahead: Interval | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """What was found of one volume.

    Attributes
    ----------
    title
        What the volume is, in one line.
    dtype
        Type of a voxel.
    sizes
        Voxels an axis of the cubes, rising.
    to
        Size that is extrapolated to.
    growths
        Of all configurations, operations and quantities.
    remarks
        Sentences about the run as a whole.
    command, date, version
        How it was made.
    """

    title: str
    dtype: str
    sizes: tuple[int, ...]
    to: int
    growths: tuple[Growth, ...]
    remarks: tuple[str, ...]
    command: str
    date: str
    version: str

    def of(self, quantity: str, operation: str | None = None) -> tuple[Growth, ...]:
        """List the growths of a quantity.

        Parameters
        ----------
        quantity
            One of `TIME`, `MEMORY`, `STORED`, `OBJECTS`.
        operation
            Keep those of this operation alone.

        Returns
        -------
        tuple of Growth
            In the order of the configurations.
        """
        return tuple(one for one in self.growths if one.quantity == quantity and operation in (None, one.operation))

    @property
    def operations(self) -> tuple[str, ...]:
        """Every operation once, in the order in which they were measured."""
        return tuple(dict.fromkeys(one.operation for one in self.growths if one.operation))


def scale_document(found: Scaled, pictures: Sequence[Picture]) -> Document:
    """Put the page together.

    Parameters
    ----------
    found
        What was measured.
    pictures
        What was drawn.

    Returns
    -------
    Document
        For `zbench.report.volume.markdown`.
    """
    sizes = listed([f"{size}³" for size in found.sizes])
    blocks: list[Block] = [
        Paragraph(
            f"Cubes of {sizes} voxels of {code(found.dtype)} were cut out of the middle of the volume, stored, read "
            f"back and compared, and timed in one run. What is said of {found.to}³ is extrapolated."
        ),
        Bullets(tuple(_answers(found))),
        *(Paragraph(plain(remark)) for remark in found.remarks),
        *pictures,
    ]
    for quantity in (TIME, MEMORY):
        blocks.append(Heading(_TITLES[quantity], quantity))
        blocks += [
            table
            for operation in found.operations
            for table in _tables(found, quantity, operation)
        ]  # fmt: skip
    blocks.append(Heading("Objects and stored bytes, exact", "exact"))
    blocks += [*_tables(found, OBJECTS, ""), *_tables(found, STORED, "")]
    blocks += _made(found)
    return Document(f"Growth with size: {plain(found.title)}", tuple(blocks))


def _answers(found: Scaled) -> Iterator[str]:
    for operation in found.operations:
        growths = [one for one in found.of(TIME, operation) if one.law is not None and one.ahead is not None]
        if not growths:
            yield f"{code(operation)}, {asked(operation)}: there is no law; the tables say why."
            continue
        yield f"{code(operation)}, {asked(operation)}: {_powers(growths)} {_least(growths, found)}"


def _powers(growths: Sequence[Growth]) -> str:
    powers = sorted(one.law.exponent.estimate for one in growths if one.law is not None)
    rough = sum(one.law.is_rough for one in growths if one.law is not None)
    told = " to ".join(dict.fromkeys((number(powers[0]), number(powers[-1]))))
    bent = (
        f" In {counted(rough, 'configuration')} of {len(growths)} the times are told apart from a power law, so that "
        "the power is a rough summary."
        if rough
        else ""
    )
    return f"time grows with the edge to the power {told}.{bent}"


def _least(growths: Sequence[Growth], found: Scaled) -> str:
    engines = len({one.configuration.engine for one in found.growths})
    known = [(one.ahead, one.configuration) for one in growths if one.ahead is not None]
    ahead, best = min(known, key=lambda pair: pair[0].estimate)
    others = [cell for other, cell in known if cell != best and other.low <= ahead.high]
    text = f"At {found.to}³ the least is {_seconds(ahead)}, for {named(best, engines=engines)}"
    if len(known) == 1:
        return f"{text}."
    if others:
        return f"{text}; the intervals of {counted(len(others), 'other')} of {len(known) - 1} reach it."
    return f"{text}; the intervals of all others lie above."


def _seconds(time: Interval) -> str:
    return duration(Measured(time.estimate, time.low, time.high))


def quantity_text(quantity: str, found: Interval | SizePoint | None) -> str:
    """Write a number of a quantity, with its interval where it has one.

    Parameters
    ----------
    quantity
        One of `TIME`, `MEMORY`, `STORED`, `OBJECTS`.
    found
        The number.

    Returns
    -------
    str
        For example ``"1.23 s [1.20, 1.26]"``.
    """
    if found is None:
        return NOTHING
    value = found.value if isinstance(found, SizePoint) else found.estimate
    if quantity == OBJECTS:
        return f"{value:,.0f}"
    if quantity == TIME:
        return duration(Measured(value, found.low, found.high))
    if found.low is None or found.high is None or found.low == found.high:
        return format_bytes(value)
    return f"{format_bytes(value)} [{format_bytes(found.low)}, {format_bytes(found.high)}]"


def _tables(found: Scaled, quantity: str, operation: str) -> Iterator[Table]:
    growths = found.of(quantity, operation)
    if not growths:
        return
    what = f"{code(operation)}, {asked(operation)}" if operation else _TITLES[quantity]
    sizes = tuple(f"{size}³" for size in found.sizes)
    rows = tuple(_row(found, one) for one in growths)
    if quantity == OBJECTS:
        heads = ("configuration", "engine", *sizes, f"{found.to}³, by arithmetic")
        yield Table(what, heads, tuple((*row[:-2], row[-1]) for row in rows), texts=2)
        return
    heads = ("configuration", "engine", *sizes, "power of the edge", f"{found.to}³, extrapolated")
    yield Table(what, heads, rows, texts=2)
    fitted = [one for one in growths if one.law is not None]
    if fitted:
        title = f"{what}: measured ÷ law"
        heads = ("configuration", "engine", *sizes, "told apart from a power law")
        yield Table(title, heads, tuple(_residuals(found, one) for one in fitted), texts=2)


def _row(found: Scaled, growth: Growth) -> tuple[str, ...]:
    points = {point.size: point for point in growth.points}
    values = [quantity_text(growth.quantity, points.get(size)) for size in found.sizes]
    power = growth.note or NOTHING if growth.law is None else interval(growth.law.exponent)
    cell = growth.configuration
    return (
        code(cell.stored), plain(cell.engine), *values, plain(power), quantity_text(growth.quantity, growth.ahead),
    )  # fmt: skip


def _residuals(found: Scaled, growth: Growth) -> tuple[str, ...]:
    law = growth.law
    assert law is not None
    residuals = dict(zip(law.sizes, law.residuals, strict=True))
    told = [f"{residuals[size]:.3f}" if size in residuals else NOTHING for size in found.sizes]
    rough = NOTHING if law.misfit_p is None else f"{'yes' if law.is_rough else 'no'} (p = {law.misfit_p:.2g})"
    return code(growth.configuration.stored), plain(growth.configuration.engine), *told, rough


def _made(found: Scaled) -> Iterator[Block]:
    yield Heading("How this was measured", "method")
    yield Bullets(tuple(_DEFINITIONS.splitlines()))
    lacking = [one for one in found.growths if one.note]
    if lacking:
        yield Bullets(
            tuple(
                f"{named(one.configuration)}, {plain(one.operation) or 'whole array'}, "
                f"{_TITLES[one.quantity].lower()}: {plain(one.note)}"
                for one in lacking
            )
        )
    yield Paragraph(f"Made by zbench {plain(found.version)}, {plain(found.date)}, with:")
    yield Listing(found.command)


_DEFINITIONS = (
    "A law is a quantity as a factor times a power of the edge, fitted by least squares to the logarithms of the "
    "medians. What follows the voxels grows with the power 3, what follows a plane with 2, what follows neither with 0."
    "\nIntervals of powers and of extrapolated values are Student's of 95 % confidence, from what sizes leave over; "
    "with three sizes they are wide, and each size more narrows them. They are at least as wide as the scatter of the "
    "processes makes them."
    "\nAn extrapolated value has room for one more size that lies off the law as the others do. It holds as far as the "
    "law does: a volume that leaves the page cache or the memory follows another."
    "\nWhere the sizes are told apart from a law, a fixed cost that fades with growth is the most common reason; "
    "the power then rises with the sizes, and a law of larger sizes is worth more."
    "\nMemory is the most that was resident at once in a fresh process and its children, less what it held before the "
    "operation; for writing the volume itself is counted in. It is that of one process for each size."
    "\nObjects follow from the shape of chunks and shards exactly, so they are worked out and not extrapolated."
)
