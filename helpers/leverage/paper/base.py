"""Small helpers that every ccxt exchange carries, so that code written for ccxt finds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from .._grid import down_to, nearest_to
from .errors import BadSymbol, InvalidOrder
from .words import as_milliseconds, iso

TICK_SIZE = 4
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_ROUNDINGS = {0: ROUND_DOWN, 1: ROUND_HALF_UP, 2: ROUND_UP}


def plain(value: float) -> str:
    """Write a number without an exponent.

    Examples
    --------
    >>> plain(1e-7), plain(50.0)
    ('0.0000001', '50')
    """
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _at(source: Any, key: Any) -> Any:
    if isinstance(source, Mapping):
        value = source.get(key)
    elif isinstance(source, (list, tuple)) and isinstance(key, int) and 0 <= key < len(source):
        value = source[key]
    else:
        return None
    return None if isinstance(value, str) and value == "" else value


def _as_number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


class Base:
    """Helpers of ccxt's base class that need no venue.

    Their names, arguments and results are ccxt's; see its manual.
    """

    precisionMode = TICK_SIZE  # noqa: N815 - ccxt's name
    networkAliases: dict[str, str] = {}  # noqa: N815, RUF012 - ccxt's name, never changed
    markets: dict[str, dict[str, Any]]
    currencies: dict[str, dict[str, Any]]

    def __getattr__(self, name: str) -> Any:
        """Find a method by its camelCase name."""
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        snake = snake.replace("_o_h_l_c_v", "_ohlcv").replace("_l2_", "_l2_")
        if snake != name and not name.startswith("_") and hasattr(type(self), snake):
            return getattr(self, snake)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, name: str) -> Any:
        """Give an attribute or method by its name in either style."""
        return getattr(self, name)

    @staticmethod
    def safe_value(source: Any, key: Any, default: Any = None) -> Any:
        """Value at a key, or the default."""
        value = _at(source, key)
        return default if value is None else value

    @staticmethod
    def safe_string(source: Any, key: Any, default: str | None = None) -> str | None:
        """Value at a key as text, or the default."""
        value = _at(source, key)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return default
        return plain(value) if isinstance(value, float) else str(value)

    @staticmethod
    def safe_number(source: Any, key: Any, default: float | None = None) -> float | None:
        """Value at a key as a number, or the default."""
        value = _as_number(_at(source, key))
        return default if value is None else value

    safe_float = safe_number

    @staticmethod
    def safe_integer(source: Any, key: Any, default: int | None = None) -> int | None:
        """Value at a key as a whole number, or the default."""
        value = _at(source, key)
        number = float(value) if isinstance(value, bool) else _as_number(value)
        return default if number is None else int(number)

    @staticmethod
    def safe_bool(source: Any, key: Any, default: bool | None = None) -> bool | None:
        """Value at a key if it is true or false, or the default."""
        value = _at(source, key)
        return value if isinstance(value, bool) else default

    @staticmethod
    def safe_dict(source: Any, key: Any, default: Any = None) -> Any:
        """Value at a key if it is a dict, or the default."""
        value = _at(source, key)
        return value if isinstance(value, dict) else default

    @staticmethod
    def safe_list(source: Any, key: Any, default: Any = None) -> Any:
        """Value at a key if it is a list, or the default."""
        value = _at(source, key)
        return value if isinstance(value, list) else default

    @classmethod
    def safe_string_n(cls, source: Any, keys: Iterable[Any], default: Any = None) -> str | None:
        """First value there is among several keys, as text."""
        found = (cls.safe_string(source, key) for key in keys)
        return next((value for value in found if value is not None), default)

    @classmethod
    def safe_string_2(cls, source: Any, one: Any, two: Any, default: Any = None) -> str | None:
        """Value at one of two keys, as text."""
        return cls.safe_string_n(source, (one, two), default)

    @staticmethod
    def json(value: Any) -> str:
        """Write a structure as JSON."""
        return json.dumps(value, default=str)

    @staticmethod
    def extend(*parts: Mapping[str, Any] | None) -> dict[str, Any]:
        """Merge dicts, later ones on top."""
        merged: dict[str, Any] = {}
        for part in parts:
            merged.update(part or {})
        return merged

    @classmethod
    def deep_extend(cls, *parts: Any) -> Any:
        """Merge dicts within dicts, later ones on top."""
        merged: Any = None
        for part in parts:
            if isinstance(part, Mapping):
                kept = merged if isinstance(merged, dict) else {}
                merged = {**kept, **{k: cls.deep_extend(kept.get(k), v) for k, v in part.items()}}
            elif part is not None:
                merged = part
        return merged

    @staticmethod
    def in_array(value: Any, array: Any) -> bool:
        """Tell whether a value is in a list."""
        return value in array

    @staticmethod
    def is_dictionary(value: Any) -> bool:
        """Tell whether a value is a dict."""
        return isinstance(value, dict)

    @staticmethod
    def array_concat(one: list[Any], two: list[Any]) -> list[Any]:
        """Join two lists."""
        return [*one, *two]

    @staticmethod
    def omit(source: Mapping[str, Any], keys: Any, *more: Any) -> dict[str, Any]:
        """Copy a dict without some keys."""
        gone = {keys, *more} if isinstance(keys, str) else {*keys, *more}
        return {key: value for key, value in source.items() if key not in gone}

    @staticmethod
    def omit_zero(text: Any) -> Any:
        """Return None for a zero, anything else as it is."""
        return None if _as_number(text) == 0 else text

    @staticmethod
    def group_by(array: Any, key: Any) -> dict[Any, list[Any]]:
        """Group dicts by the value at a key."""
        groups: dict[Any, list[Any]] = {}
        for entry in array.values() if isinstance(array, dict) else array:
            if _at(entry, key) is not None:
                groups.setdefault(entry[key], []).append(entry)
        return groups

    @staticmethod
    def index_by(array: Any, key: Any) -> dict[Any, Any]:
        """Map the value at a key to the dict that has it."""
        entries = array.values() if isinstance(array, dict) else array
        return {entry[key]: entry for entry in entries if _at(entry, key) is not None}

    @staticmethod
    def filter_by(array: Any, key: Any, value: Any = None) -> list[Any]:
        """Keep the dicts with a value at a key."""
        entries = array.values() if isinstance(array, dict) else array
        return [entry for entry in entries if _at(entry, key) == value]

    @staticmethod
    def sort_by(array: Any, key: Any, descending: bool = False) -> list[Any]:
        """Sort dicts or rows by the value at a key."""
        return sorted(array, key=lambda entry: entry[key], reverse=descending)

    @staticmethod
    def number_to_string(value: Any) -> str | None:
        """Write a number without an exponent; None stays None."""
        return None if value is None else plain(value)

    @staticmethod
    def parse_number(value: Any, default: float | None = None) -> float | None:
        """Read a number from text."""
        number = _as_number(value)
        return default if number is None else number

    parse_to_numeric = parse_number

    @staticmethod
    def precision_from_string(text: str) -> int:
        """Count the decimals of a number in text."""
        if "e" in text.lower():
            return -int(text.lower().partition("e")[2])
        return len(text.rstrip("0").partition(".")[2])

    @staticmethod
    def parse_precision(decimals: Any) -> str | None:
        """Write the step that a count of decimals stands for."""
        return None if decimals is None else plain(10.0 ** -int(decimals))

    @staticmethod
    def decimal_to_precision(
        value: Any,
        rounding_mode: int = 1,
        precision: Any = None,
        counting_mode: int = TICK_SIZE,
        padding_mode: int = 0,
    ) -> str:
        """Round a number to a step and write it.

        Only steps (``TICK_SIZE``) are counted; the modes are 0 to cut, 1 to round, 2 to round up.
        """
        del counting_mode, padding_mode
        step = Decimal(plain(float(precision)))
        units = (Decimal(plain(float(value))) / step).quantize(
            Decimal(1), rounding=_ROUNDINGS[rounding_mode]
        )
        return plain(float(units * step))

    @staticmethod
    def is_tick_precision() -> bool:
        """Tell that precisions are steps and not counts of decimals."""
        return True

    @staticmethod
    def iso8601(timestamp: Any) -> str | None:
        """Write a time in ISO form."""
        return None if timestamp is None else iso(int(timestamp))

    @staticmethod
    def parse8601(text: Any) -> int | None:
        """Read a time in ISO form, in milliseconds."""
        return None if text is None else as_milliseconds(str(text))

    parse_date = parse8601

    @staticmethod
    def parse_timeframe(timeframe: str) -> int:
        """Give the seconds of a timeframe, 3600 for ``"1h"``."""
        return int(timeframe[:-1]) * _SECONDS[timeframe[-1]]

    @staticmethod
    def capitalize(text: str) -> str:
        """Write the first letter large."""
        return text[:1].upper() + text[1:]

    @staticmethod
    def exception_message(error: Any, include_stack: bool = True) -> str:
        """Give the message of an error."""
        del include_stack
        return f"{type(error).__name__}: {error}"

    @staticmethod
    def set_property(target: Any, name: str, value: Any) -> None:
        """Set an attribute."""
        setattr(target, name, value)

    @staticmethod
    def get_property(source: Any, name: str, default: Any = None) -> Any:
        """Give an attribute, or the default."""
        return getattr(source, name, default)

    def market(self, symbol: str) -> dict[str, Any]:
        """Market structure of a symbol.

        Raises
        ------
        BadSymbol
            If there is no such market.
        """
        if symbol in self.markets:
            return self.markets[symbol]
        for market in self.markets.values():
            if market["id"] == symbol:
                return market
        raise BadSymbol(
            f"symbol must be one of {', '.join(self.markets)}, was {symbol!r}; see symbols"
        )

    def currency(self, code: str) -> dict[str, Any]:
        """Currency structure of a code."""
        if code in self.currencies:
            return self.currencies[code]
        raise BadSymbol(f"code must be one of {', '.join(self.currencies)}, was {code!r}")

    def safe_currency(self, currency_id: Any, currency: Any = None) -> dict[str, Any]:
        """Currency structure of an id; the id itself where it is unknown."""
        del currency
        return self.currencies.get(currency_id, {"id": currency_id, "code": currency_id})

    def safe_currency_code(self, currency_id: Any, currency: Any = None) -> Any:
        """Code of a currency id."""
        return self.safe_currency(currency_id, currency)["code"]

    def price_to_precision(self, symbol: str, price: Any) -> str:
        """Round a price to the tick."""
        return plain(nearest_to(float(price), self.market(symbol)["precision"]["price"]))

    def amount_to_precision(self, symbol: str, amount: Any) -> str:
        """Cut an amount to the lot.

        Raises
        ------
        InvalidOrder
            If nothing is left of it.
        """
        lot = self.market(symbol)["precision"]["amount"]
        cut = down_to(float(amount), lot)
        if cut == 0:
            raise InvalidOrder(f"amount must be at least {plain(lot)} of {symbol}, was {amount}")
        return plain(cut)

    def cost_to_precision(self, symbol: str, cost: Any) -> str:
        """Cut a cost to the step of its currency."""
        return plain(down_to(float(cost), self.market(symbol)["precision"]["cost"]))
