"""Times and amounts as the exchange writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from leverage.paper.exchange_errors import BadRequest


def iso(milliseconds: int) -> str:
    """Write a time as ccxt does.

    Examples
    --------
    >>> iso(1_500_000_000_123)
    '2017-07-14T02:40:00.123Z'
    """
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def as_milliseconds(when: Any) -> int:
    """Read a time: milliseconds, text in ISO form, a datetime or anything with ``timestamp()``.

    Times without a zone are in UTC.

    Examples
    --------
    >>> as_milliseconds("2017-07-14T02:40:00Z"), as_milliseconds("2017-07-14")
    (1500000000000, 1499990400000)
    """
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when.replace("Z", "+00:00"))
        except ValueError:
            raise BadRequest(
                f"time must be in ISO form, was {when!r}; write '2024-08-05T00:00:00Z'"
            ) from None
    if hasattr(when, "timestamp"):
        if getattr(when, "tzinfo", None) is None and isinstance(when, datetime):
            when = when.replace(tzinfo=UTC)
        return round(float(when.timestamp()) * 1000)
    if hasattr(when, "__int__") and not isinstance(when, bool) and when == when:
        return int(when)
    raise BadRequest(f"time must be milliseconds, ISO text or a datetime, was {when!r}")


def expiry_of(text: str) -> int | None:
    """Read the end of a fixed maturity, the part of a symbol behind ``-``; None if it is none.

    Examples
    --------
    >>> expiry_of("261225"), expiry_of("soon")
    (1798185600000, None)
    """
    try:
        day = datetime.strptime(text, "%y%m%d").replace(hour=8, tzinfo=UTC)
    except ValueError:
        return None
    return round(day.timestamp() * 1000)


def amounts(code: str, *values: float) -> list[str]:
    """Write amounts of one currency with the same decimals, enough to tell them apart.

    Examples
    --------
    >>> amounts("USDT", 3065.2485, 3000), amounts("USDT", 200, 100)
    (['3065.25 USDT', '3000.00 USDT'], ['200 USDT', '100 USDT'])
    >>> amounts("USDT", 100.001, 100), amounts("BTC", 0.015, 0.01)
    (['100.001 USDT', '100.000 USDT'], ['0.015 BTC', '0.010 BTC'])
    """
    usual = 2 if code.startswith(("USD", "GUSD", "EUR", "GBP")) else 8
    different = len(set(values))
    decimals = next(
        (
            count
            for count in range(9)
            if len({round(value, count) for value in values}) == different
            and (count >= usual or all(round(value, count) == value for value in values))
        ),
        8,
    )
    return [f"{value + 0.0:.{decimals}f} {code}" for value in values]


def decimal_text(value: float) -> str:
    """Write a number without an exponent.

    Examples
    --------
    >>> decimal_text(1e-7), decimal_text(50.0)
    ('0.0000001', '50')
    """
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
