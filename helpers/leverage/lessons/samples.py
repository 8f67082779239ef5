"""Inputs for a comparison with the solution: drawn from what an author declares, always the same.

Random numbers rarely hit what strangers get wrong: a limit, two equal values, an empty list. So
a `Sampler` draws those on purpose, between numbers of many digits and many magnitudes.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")

_MANY_MAGNITUDES = 50.0
_LIMIT, _TIE, _SHORT = 0.08, 0.08, 0.2
"""Shares of numbers at one of two limits (or zero between them), equal to an earlier one, and of two digits."""
_REPEATED, _SORTED = 0.3, 0.2


@dataclass(frozen=True)
class Sample:
    """One set of arguments; `kept` are the numbers that stand where they do on purpose."""

    args: tuple[Any, ...]
    kept: frozenset[float]


class Sampler:
    """Draws the arguments of one call; an author's function says from where.

    Parameters
    ----------
    seed : str
        What the numbers follow from.

    Examples
    --------
    >>> pick = Sampler("ch01_a_value")
    >>> side, price = pick.one_of(1, -1), pick.number(0.000012, 98_000)
    >>> side in (1, -1), 0.000012 <= price <= 98_000
    (True, True)
    >>> prices = pick.several(lambda: pick.number(90, 110), least=1)
    >>> 1 <= len(prices) <= 12
    True
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self._lot = self._random.random
        self.begin()

    def begin(self) -> None:
        """Forget what was drawn: the next numbers belong to another call."""
        self._drawn: list[float] = []
        self._kept: set[float] = set()

    @property
    def kept(self) -> frozenset[float]:
        """Numbers that stand where they do on purpose."""
        return frozenset(self._kept)

    def number(self, low: float, high: float) -> float:
        """Draw a float from `low` to `high`, over all magnitudes where they lie far apart.

        Often it is a limit, zero between them, a number drawn before, or one of two digits.
        """
        number, on_purpose = self._number(float(low), float(high))
        self._drawn.append(number)
        if on_purpose:
            self._kept.add(number)
        return number

    def _number(self, low: float, high: float) -> tuple[float, bool]:
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"number(low, high) needs low <= high, both finite: {low}, {high}")
        lot = self._lot()
        if lot < 2 * _LIMIT:
            limits = (low, 0.0, high) if low < 0 < high else (low, high)
            return limits[int(lot / (2 * _LIMIT) * len(limits))], True
        if lot < 2 * _LIMIT + _TIE:
            earlier = [number for number in self._drawn if low <= number <= high]
            if earlier:
                number = self.one_of(*earlier)
                return number, number in self._kept
        share = self._lot()
        if low > 0 and high > _MANY_MAGNITUDES * low:
            number = low * (high / low) ** share
        else:
            number = low + (high - low) * share
        if lot > 1 - _SHORT and low <= (short := float(f"{number:.1e}")) <= high:
            return short, True
        return min(max(number, low), high), False

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`, often a limit."""
        lot = self._lot()
        if lot < 2 * _LIMIT:
            return low if lot < _LIMIT else high
        if low > 0 and high > _MANY_MAGNITUDES * low:
            magnitude = low * math.pow(high / low, self._lot())
            return min(max(round(magnitude), low), high)
        return low + int(self._lot() * (high - low + 1))

    def one_of(self, *values: Value) -> Value:
        """Draw one of some values."""
        return values[int(self._lot() * len(values))]

    def chance(self, share: float = 0.5) -> bool:
        """Return True in a share of the draws."""
        return self._lot() < share

    def several(self, make: Callable[[], Value], *, least: int = 0, most: int = 12) -> list[Value]:
        """Draw a list: empty, of one, of two or of many parts; some repeated, some in order."""
        lengths = [length for length in (0, 1, 2, 3) if least <= length <= most]
        length = self.one_of(*lengths, *[self.whole(least, most)] * 3)
        parts = [make() for _ in range(length)]
        if length > 1 and self.chance(_REPEATED):
            parts[self.whole(0, length - 1)] = self.one_of(*parts)
        if all(type(part) in (int, float) for part in parts) and self.chance(_SORTED):
            parts.sort(reverse=self.chance())
        return parts

    def shuffled(self, values: Iterable[Value]) -> list[Value]:
        """Return some values in another order."""
        rest = list(values)
        return [rest.pop(int(self._lot() * len(rest))) for _ in range(len(rest))]


def draw_samples(seed: str, draw: Callable[[Sampler], Sequence[Any]], count: int) -> list[Sample]:
    """Draw the arguments of `count` calls; the same seed gives the same ones.

    >>> [s.args for s in draw_samples("a", lambda pick: (pick.whole(1, 3), pick.one_of(1, -1)), 2)]
    [(1, -1), (1, -1)]
    """
    samples = []
    pick = Sampler(seed)
    for _ in range(count):
        pick.begin()
        args = draw(pick)
        if not isinstance(args, tuple | list):
            raise ValueError(f"the function of a comparison returns all arguments, was {args!r}")
        samples.append(Sample(tuple(args), pick.kept))
    return samples
