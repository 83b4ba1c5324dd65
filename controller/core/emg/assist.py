"""Assist as needed: support that shrinks as the person's own share of a movement grows.

After each movement support is forgotten a little and raised by what the movement fell short of its aim:
s' = f s + g (1 - reached), as the error-based law with forgetting of Emken and others 2007 and Wolbrecht and
others 2008. A person who reaches the aim alone ends at the floor, one who does nothing at the ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssistParams:
    """``floor`` and ``ceiling`` of the support, shares of the full current; the rest for each movement."""

    floor: float = 0.1
    ceiling: float = 1.0
    start: float = 0.8
    forget: float = 0.9
    learn: float = 0.5

    def __post_init__(self) -> None:
        """Raise ValueError where a number makes no sense."""
        if not 0.0 <= self.floor <= self.start <= self.ceiling <= 1.0:
            raise ValueError("floor, start and ceiling must be in order, from 0 to 1")
        if not (0.0 < self.forget < 1.0 and 0.0 < self.learn <= 2.0):
            raise ValueError("forget must be between 0 and 1, learn above 0 and at most 2")


class AssistAsNeeded:
    """Support from movement to movement; ``own_share`` is the person's part of the last one."""

    def __init__(self, params: AssistParams) -> None:
        self.params = params
        self.support = params.start
        self.own_share: float | None = None
        self.movements = 0

    def movement(self, reached: float, own: float) -> float:
        """One movement is over: the share of its aim reached, and the person's own mean activation in it.

        Both 0 to 1. Returns the support of the next one.
        """
        reached, own = min(1.0, max(0.0, reached)), min(1.0, max(0.0, own))
        given = own + self.support
        self.own_share = own / given if given > 0.0 else 0.0
        p = self.params
        self.support = min(p.ceiling, max(p.floor, p.forget * self.support + p.learn * (1.0 - reached)))
        self.movements += 1
        return self.support
