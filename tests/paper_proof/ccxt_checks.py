"""ccxt's own structure checks, loaded from its wheel, and the little they need around an exchange.

The checks are written in another language and translated to Python. They are given the paper
exchange as it is. They are given it a second time with the helpers of ccxt's base class in place of
its own (`Borrowed`), because a check that asks the exchange to read a value must not pass on the
word of a wrong reader.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt

FOLDER = Path(ccxt.__file__).parent / "test" / "exchange"
PREFIXES = ("safe_", "parse_", "in_array", "is_dictionary", "is_tick", "iso8601", "json", "omit")


def names_of_checks(folder: str) -> set[str]:
    """Name the checks in a folder of ccxt's wheel: `position` for `test_position.py`."""
    return {path.stem.removeprefix("test_") for path in (FOLDER / folder).glob("test_*.py")}


def check_of(folder: str, name: str) -> Callable[..., Any]:
    """Return one check of ccxt."""
    module = importlib.import_module(f"ccxt.test.exchange.{folder}.test_{name}")
    found: Callable[..., Any] = getattr(module, f"test_{name}")
    return found


class Wrapped:
    """The paper exchange, some of whose answers a subclass changes."""

    def __init__(self, paper: Any) -> None:
        self.paper = paper

    def __getattr__(self, name: str) -> Any:
        return getattr(self.paper, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class Borrowed(Wrapped):
    """The paper exchange with ccxt's own helpers and ccxt's own view of its markets."""

    def __init__(self, paper: Any) -> None:
        super().__init__(paper)
        self.tools = ccxt.Exchange()
        self.tools.set_markets(paper.fetch_markets(), paper.currencies)
        self.markets = self.tools.markets
        self.currencies = self.tools.currencies
        self.market = self.tools.market
        self.currency = self.tools.currency

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tools if name.startswith(PREFIXES) else self.paper, name)


class Listed(Wrapped):
    """The paper exchange whose markets come as other languages see a list: numbers and values.

    In Python `fetch_markets` of every exchange of ccxt gives a list, which the check refuses.
    """

    def fetch_markets(self) -> Any:
        """Give the markets by their number."""
        return dict(enumerate(self.paper.fetch_markets()))


class Number(float):
    """A number that joins a text, as in the language that ccxt's checks are written in."""

    def __add__(self, other: Any) -> Any:
        return str(float(self)) + other if isinstance(other, str) else Number(float(self) + other)

    def __radd__(self, other: Any) -> Any:
        return other + str(float(self)) if isinstance(other, str) else Number(other + float(self))

    def __mul__(self, other: Any) -> Number:
        return Number(float(self) * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Number:
        return Number(float(self) / other)

    def __rtruediv__(self, other: Any) -> Number:
        return Number(other / float(self))


class Spoken(Wrapped):
    """The paper exchange with numbers that ccxt's trading scenario can join to its texts."""

    def fetch_balance(self) -> Any:
        """Give the balance of each currency of the market, 0 where there is none."""
        balance = self.paper.fetch_balance()
        free = {code: Number(balance["free"].get(code, 0)) for code in self.paper.currencies}
        return {**balance, **{code: {"free": amount} for code, amount in free.items()}}

    def safe_number(self, *arguments: Any) -> Any:
        """Read a number."""
        found = self.paper.safe_number(*arguments)
        return None if found is None else Number(found)

    def parse_to_numeric(self, text: Any) -> Number:
        """Read a number."""
        return Number(text)


def run_trading_scenario(paper: Any, symbol: str) -> None:
    """Run ccxt's scenario of orders: rest and cancel, then fill and close, on both sides."""
    check = check_of("sync", "create_order")
    # What the translated file uses without importing it; the numbers it makes must join texts too.
    check.__globals__.update(Error=Exception, math=math, time=time, float=Number)
    check(Spoken(paper), {}, symbol)
