"""Machines, environments and positions: each is kept once, under a number that never changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zbench.report.site.nouns import Position
from zbench.results import environment_fields
from zbench.results.schema import environment_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from zbench.model import Environment

__all__ = ["Catalogue", "machine_of"]

# What must be the same for two results to be of one machine. A new kernel does not make a new machine.
_MACHINE = ("machine", "cpu", "cores")


def machine_of(environment: Environment) -> tuple[str, str, int]:
    """Tell which machine an environment is of.

    Parameters
    ----------
    environment
        The environment.

    Returns
    -------
    tuple
        Name, processor and number of cores: hosts of a pool share a name and are not one machine.
    """
    return environment.machine, environment.cpu, environment.cores


@dataclass(slots=True)
class Catalogue:
    """What lines and numbers refer to by number.

    Attributes
    ----------
    machines, environments, positions
        In the order of their numbers.
    """

    machines: list[tuple[str, str, int]] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def machine(self, environment: Environment) -> int:
        """Give the number of the machine of an environment.

        Parameters
        ----------
        environment
            The environment.

        Returns
        -------
        int
            A new one for a machine that was not there yet.
        """
        return self._number(self.machines, machine_of(environment), machine_of(environment))

    def environment(self, environment: Environment) -> int:
        """Give the number of an environment.

        Parameters
        ----------
        environment
            The environment.

        Returns
        -------
        int
            A new one for facts that were not there yet.
        """
        return self._number(self.environments, environment, environment)

    def position(self, position: Position) -> int:
        """Give the number of a position.

        Parameters
        ----------
        position
            The position; what is known of one that is there already stays.

        Returns
        -------
        int
            A new one for a key that was not on its axis yet.
        """
        return self._number(self.positions, position, (position.axis, position.key))

    def _number(self, items: list[Any], item: Any, key: Hashable) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(items)
            items.append(item)
        return number

    def written(self) -> dict[str, Any]:
        """Write the catalogue down.

        Returns
        -------
        dict
            For `read`, as JSON can hold it.
        """
        return {
            "machines": [dict(zip(_MACHINE, machine, strict=True)) for machine in self.machines],
            "environments": [environment_fields(environment) for environment in self.environments],
            "positions": [
                [one.axis, one.key, list(one.order), one.label, one.date_ms, one.subject, one.url]
                for one in self.positions
            ],
        }

    @classmethod
    def read(cls, raw: Any) -> Catalogue:
        """Read what `written` wrote.

        Parameters
        ----------
        raw
            What JSON held.

        Returns
        -------
        Catalogue
            The same numbers for the same things.
        """
        catalogue = cls()
        for machine in raw["machines"]:
            key = tuple(machine[name] for name in _MACHINE)
            catalogue._number(catalogue.machines, key, key)
        for environment in raw["environments"]:
            catalogue.environment(environment_of(environment))
        for axis, key, order, label, date_ms, subject, url in raw["positions"]:
            catalogue.position(
                Position(axis=axis, key=key, order=tuple(order), label=label, date_ms=date_ms, subject=subject, url=url)
            )
        return catalogue
