"""What the displays of long commands share: when a line is due, and how a display begins and ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Display", "Seldom"]


class Display:
    """Something to look at while a command runs, from the begin of a ``with`` to its end."""

    def start(self) -> None:
        """Begin to show; lines have nothing to begin."""

    def stop(self) -> None:
        """Take away what was shown; lines stay."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Seldom:
    """Lets a line through when something new begins, and one now and then: a log is not to be flooded.

    Parameters
    ----------
    seconds
        Between two lines about the same.
    clock
        Seconds that never go back.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._begun: object = None
        self._next = 0.0

    def is_due(self, begun: object, *, is_last: bool = False) -> bool:
        """Ask whether a line is to be written; it counts as written then.

        Parameters
        ----------
        begun
            What it is about.
        is_last
            Whether it is the last about that, which is always written.

        Returns
        -------
        bool
            Whether to write it.
        """
        now = self._clock()
        if begun == self._begun and now < self._next and not is_last:
            return False
        self._begun, self._next = begun, now + self._seconds
        return True
