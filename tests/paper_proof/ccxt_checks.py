"""ccxt's own structure checks, loaded from its wheel, and the little they need around an exchange.

The checks are written in another language and translated to Python, and read values with internal
helpers of ccxt's base class, which the paper exchange does not have: they are lent to it (`Helped`).
The checks look a second time through ccxt's own view of its markets (`Borrowed`), because a check
that asks the exchange for a market must not pass on the word of a wrong one.
"""

from __future__ import annotations

import importlib
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt

from leverage.rounding import up_to

FOLDER = Path(ccxt.__file__).parent / "test" / "exchange"
INTERNAL = re.compile(
    "safe_.*|parse_(number|precision|to_numeric)|number_to_string|precision_from_string|is_.*"
    "|decimal_to_precision|in_array|array_concat|deep_extend|extend|omit.*|json|[gs]et_property"
    "|capitalize|exception_message|sort_by|group_by|index_by|filter_by|networkAliases"
)


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


class Helped(Wrapped):
    """The paper exchange with the internal helpers of ccxt's base class."""

    def __init__(self, paper: Any) -> None:
        super().__init__(paper)
        self.tools = ccxt.Exchange()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tools if INTERNAL.fullmatch(name) else self.paper, name)


class Borrowed(Helped):
    """The paper exchange with ccxt's own view of its markets, and ccxt's reading of times."""

    def __init__(self, paper: Any) -> None:
        super().__init__(paper)
        self.tools.set_markets(paper.fetch_markets(), paper.currencies)
        self.markets = self.tools.markets
        self.currencies = self.tools.currencies
        self.market = self.tools.market
        self.currency = self.tools.currency
        self.iso8601 = self.tools.iso8601
        self.parse8601 = self.tools.parse8601


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


class Spoken(Helped):
    """The paper exchange with numbers that ccxt's trading scenario can join to its texts."""

    def fetch_balance(self) -> Any:
        """Give the balance of each currency of the market, 0 where there is none."""
        balance = self.paper.fetch_balance()
        free = {code: Number(balance["free"].get(code, 0)) for code in self.paper.currencies}
        return {**balance, **{code: {"free": amount} for code, amount in free.items()}}

    def safe_number(self, *arguments: Any) -> Any:
        """Read a number."""
        found = self.tools.safe_number(*arguments)
        return None if found is None else Number(found)

    def decimal_to_precision(self, value: float, mode: int, step: float, counting: int) -> str:
        """Round up to a step, which ccxt's scenario asks for and ccxt does not do in Python."""
        assert (mode, counting) == (2, self.paper.precisionMode)
        return str(up_to(value, step))

    def parse_to_numeric(self, text: Any) -> Number:
        """Read a number."""
        return Number(text)


def run_trading_scenario(paper: Any, symbol: str) -> None:
    """Run ccxt's scenario of orders: rest and cancel, then fill and close, on both sides."""
    check = check_of("sync", "create_order")
    # What the translated file uses without importing it; the numbers it makes must join texts too.
    check.__globals__.update(Error=Exception, math=math, time=time, float=Number)
    check(Spoken(paper), {}, symbol)
