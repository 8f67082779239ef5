"""Words and numbers of the messages that learners read: plain text, whole sentences."""

import math
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

THIN_SPACE = "\u202f"
_LINE = 80
_SCIENTIFIC_BELOW = 1e-12
_SCIENTIFIC_FROM = 1e15
_CODE = re.compile(r"`([^`]+)`")
_EMPHASIS = re.compile(r"(?<![\w*)\]])(\*{1,2})(?=[^\W\d_])(.+?)(?<=[\w.,;:!?%)'’”])\1(?![\w*(])")
_ITEM_ID = re.compile(r"(ch|rv)(\d+)_([A-Za-z0-9]+)(?:_(.+))?")


def format_number(value: float, *, digits: int = 8) -> str:
    """Write a number for reading: grouped by thin spaces, small values never rounded away.

    Parameters
    ----------
    value : float
        The number, in any unit.
    digits : int, default 8
        Significant digits kept; two decimals are kept whatever the size.

    Examples
    --------
    >>> format_number(10_000).replace(THIN_SPACE, " ")
    '10 000'
    >>> format_number(0.000012), format_number(0.0004), format_number(-1 / 3)
    ('0.000012', '0.0004', '-0.33333333')
    """
    if math.isnan(value):
        return "nan (not a number)"
    if math.isinf(value):
        return "infinity" if value > 0 else "minus infinity"
    size = abs(value)
    if size and not _SCIENTIFIC_BELOW <= size < _SCIENTIFIC_FROM:
        return f"{value:.{digits}g}"
    if value == int(value):
        return _grouped(f"{int(value):,}")
    decimals = max(2, digits - 1 - math.floor(math.log10(size)))
    return _grouped(f"{value:,.{decimals}f}".rstrip("0").rstrip("."))


def format_pair(received: float, expected: float) -> tuple[str, str]:
    """Write two different numbers with as many digits as it takes to tell them apart.

    >>> format_pair(1.00000000001, 1.0)
    ('1.00000000001', '1')
    """
    for digits in (8, 12, 17):
        texts = format_number(received, digits=digits), format_number(expected, digits=digits)
        if texts[0] != texts[1]:
            return texts
    return repr(received), repr(expected)


def format_amount(value: float, decimals: int = 2, *, signed: bool = False) -> str:
    """Write an amount with fixed decimals, thin grouping and a true minus sign.

    Parameters
    ----------
    value : float
        Amount in any unit.
    decimals : int, default 2
        Decimals shown.
    signed : bool, default False
        Write a plus sign before amounts above zero.

    Examples
    --------
    >>> format_amount(45_180.7229).replace(THIN_SPACE, " ")
    '45 180.72'
    >>> format_amount(-0.001), format_amount(-500, 0), format_amount(500, 0, signed=True)
    ('0.00', '−500', '+500')
    """
    if math.isnan(value):
        return "not a number"
    sign = "+" if signed and value > 0 else "−" if value < 0 else ""
    if math.isinf(value):
        return f"{sign}infinite"
    digits = f"{abs(value):,.{decimals}f}"
    if not digits.strip("0.,"):
        sign = ""
    return sign + digits.replace(",", THIN_SPACE)


def format_price(value: float) -> str:
    """Write a price: two decimals from 100 on, six significant digits below.

    Examples
    --------
    >>> format_price(98_000).replace(THIN_SPACE, " "), format_price(3.5), format_price(0.000012)
    ('98 000.00', '3.50', '0.000012')
    """
    if not math.isfinite(value) or value == 0 or abs(value) >= 100:
        return format_amount(value)
    decimals = 5 - math.floor(math.log10(abs(value)))
    text = format_amount(value, decimals)
    kept = text.rstrip("0")
    return kept + "0" * max(0, 2 - len(kept.partition(".")[2]))


def format_percent(fraction: float, decimals: int = 1, *, signed: bool = False) -> str:
    """Write a decimal fraction as per cent.

    Examples
    --------
    >>> format_percent(-0.0964, 2).replace(THIN_SPACE, " ")
    '−9.64 %'
    """
    return f"{format_amount(fraction * 100, decimals, signed=signed)}{THIN_SPACE}%"


def format_money(
    amount: float, currency: str = "USDT", decimals: int = 2, *, signed: bool = False
) -> str:
    """Write an amount of money with its currency.

    >>> format_money(-0.5, signed=True), format_money(1.5, "BTC", 1)
    ('−0.50 USDT', '1.5 BTC')
    """
    return f"{format_amount(amount, decimals, signed=signed)} {currency}"


def format_whole(amount: float) -> str:
    """Write an amount of USDT without decimals.

    >>> format_whole(-12.7)
    '−13 USDT'
    """
    return format_money(amount, decimals=0)


def format_date(moment: datetime, *, clock: bool = False) -> str:
    """Write a day as a date, or a moment with its time in UTC.

    >>> format_date(datetime(2024, 8, 5, 13)), format_date(datetime(2024, 8, 5, 13), clock=True)
    ('5 August 2024', '5 August 2024, 13:00 UTC')
    """
    return f"{moment.day} {moment:%B %Y}{f', {moment:%H:%M} UTC' if clock else ''}"


def with_unit(text: str, unit: str) -> str:
    """Put the unit behind a number; a text such as "infinity" stays as it is."""
    return f"{text} {unit}" if unit and text[-1:].isdigit() else text


def counted(number: float, noun: str) -> str:
    """Write a count with its noun, in the plural unless it is one.

    >>> counted(1, "point"), counted(2.5, "point")
    ('1 point', '2.5 points')
    """
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


def item_label(item_id: str) -> str:
    """Name an item as the text of its chapter or review does.

    >>> item_label("ch01_a_value"), item_label("ch10_q2"), item_label("ch03_predict_form")
    ('1.A value', '10.Q2', '3.Predict form')
    >>> item_label("rv01_q2")
    'R1.Q2'
    """
    match = _ITEM_ID.fullmatch(item_id)
    if match is None:
        return item_id
    number = f"{'R' if match[1] == 'rv' else ''}{int(match[2])}"
    name, rest = match[3], (match[4] or "").replace("_", " ")
    if re.fullmatch(r"[A-Za-z]\d*", name):
        return f"{number}.{name.upper()} {rest}".strip()
    return f"{number}.{name.capitalize()} {rest}".strip()


def code_call(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Write a call as a learner could type it, long arguments shortened.

    >>> code_call("liquidation_price", (1, 50_000.0), {"margin": [500, 1_000]})
    'liquidation_price(1, 50000.0, margin=[500, 1000])'
    """
    shown = [code_value(value) for value in args]
    shown += [f"{key}={code_value(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(shown)})"


def code_value(value: object) -> str:
    """Write one argument as code; arrays as lists, tables and long values in brief."""
    if isinstance(value, np.ndarray | np.generic):
        return shortened(repr(value.tolist()))
    if isinstance(value, Decimal | Fraction):
        return repr(value)
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return f"<table of {counted(len(value), 'row')}>"
    if pandas is not None and isinstance(value, pandas.Series | pandas.Index):
        return shortened(repr(value.tolist()))
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return shortened(safe_repr(value))


def safe_repr(value: object) -> str:
    """Return repr(value); the type's name when the object cannot even show itself."""
    try:
        return str(repr(value))
    except Exception:
        return f"<{type(value).__name__}>"


def shortened(text: str, limit: int = 80) -> str:
    """Return the text on one line, cut with an ellipsis beyond `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends a sentence already.

    >>> sentence("Leverage multiplies the margin"), sentence("Why?")
    ('Leverage multiplies the margin.', 'Why?')
    """
    text = text.strip()
    return text if not text or text[-1] in ".!?:…" else f"{text}."


def unmarked(text: str) -> str:
    """Return Markdown as plain text: no backticks, no asterisks around words.

    Code and products keep every sign.

    >>> unmarked("Her *return on margin* is `2*x*y`, **not** 2*x."), unmarked("a * b*c * d")
    ('Her return on margin is 2*x*y, not 2*x.', 'a * b*c * d')
    """
    parts = _CODE.split(text)
    return "".join(part if i % 2 else _EMPHASIS.sub(r"\2", part) for i, part in enumerate(parts))


def wrapped(text: str) -> str:
    """Break long lines between words; notebooks break plain text anywhere, also inside a word.

    >>> print(wrapped("a " * 60).splitlines()[1].strip()[:3])
    a a
    """
    lines = [
        textwrap.fill(line, _LINE, break_long_words=False, break_on_hyphens=False)
        if len(line) > _LINE
        else line
        for line in text.split("\n")
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Print to the notebook or terminal; signs the terminal cannot show are replaced."""
    try:
        print(text, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding), flush=True)


def _grouped(text: str) -> str:
    return text.replace(",", THIN_SPACE)
