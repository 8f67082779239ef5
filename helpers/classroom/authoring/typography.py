"""What keeps a line of prose readable."""

from __future__ import annotations

import re

NO_BREAK = "\u00a0"
UNITS = (
    "%|USDT|USDC|USD|EUR|euro|BTC|ETH|SOL|coins|contracts|million|billion|R|UTC"
    "|seconds?|min|minutes?|hours?|days?|weeks?|months?|years?"
)
UNIT_BLANK = re.compile(
    r"^\#{1,6} .*?$|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|\{\{.*?\}\}|\]\([^)\n]*\)"
    rf"|(?:(?<=[0-9}}])|(?<=[mb]illion)) (?=(?:{UNITS})(?!\w))",
    re.DOTALL | re.MULTILINE,
)


def with_units(text: str) -> str:
    """Keep a number and its unit on one line: their blank becomes a no-break space.

    Headings, code, formulas, computed expressions and addresses stay as they are.

    >>> with_units("Pay 500 USDT, `2 % 3`, {{ 7 % 4 }} % and $5 %$.").replace("\u00a0", "~")
    'Pay 500~USDT, `2 % 3`, {{ 7 % 4 }}~% and $5 %$.'
    """
    return UNIT_BLANK.sub(lambda match: NO_BREAK if match[0] == " " else match[0], text)
