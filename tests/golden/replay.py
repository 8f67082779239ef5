"""Compute the number that a row of vectors.csv asks for, from the row's inputs alone.

What is particular to a venue is data: one `Convention` for each venue and kind of contract. What is
arithmetic is in `leverage`: one function here for each quantity puts the two together. The row's
id, source, formula, note, expected value and tolerance are never read.

Prices come out exact. They are rounded to the tick where the venue is known to show its
conservative rounding, or where the row names a rounding; elsewhere the tolerance of the row covers
what the venue's display does.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple, NoReturn, cast

import leverage as lv

Fee = Literal["none", "closing", "taker"]
Direction = Literal["up", "down", "nearest"]

BLANK = {"", "n/a", "na", "nan", "none", "null", "-"}
COLUMNS = (
    "venue",
    "contract_type",
    "margin_mode",
    "side",
    "qty",
    "contract_size",
    "entry_price",
    "leverage",
    "wallet_balance",
    "mm_rate",
    "maintenance_amount",
    "fee_rate",
    "other_inputs",
    "quantity",
)
POSITIVE = {"qty", "contract_size", "entry_price", "leverage"}
RATES = {"mm_rate", "fee_rate"}
SIDES = {"long": lv.LONG, "short": lv.SHORT}

# Names in other_inputs that mean the same.
MARK = ("mark_price", "mark", "fair_price", "mark_implied")
EXIT = ("exit", "exit_price", "close_price")
VALUE = ("position_value", "notional")
VALUE_AT_ENTRY = ("position_cost", "cost", "entry_value")
VALUE_NOW = ("position_value_now", "value")
EXTRA = ("extra_margin", "added_margin")
RULE = ("rule", "rules", "mm_at")
DATE = ("date", "as_of")
WITH_CLOSING_FEE = ("position_im_incl_fee_and_added", "im_incl_closing_fee")

# Every name in other_inputs that is read, apart from those with a unit or an asset.
READ = {
    *(*MARK, *EXIT, *VALUE, *VALUE_AT_ENTRY, *VALUE_NOW, *EXTRA, *RULE, *DATE, *WITH_CLOSING_FEE),
    *("upnl", "pnl", "realised_pnl", "realised", "cum_realised_pnl", "symbol", "other_positions"),
    *("tick", "rounding", "bust_price", "order_margin", "position_balance", "level", "reading"),
    *("isolated_margin_incl_upnl", "used_margin", "used_margin_base", "trade_balance", "balance"),
    *("open_fee", "close_fee", "open_fee_total", "exit_fee_rate", "maker", "taker", "roll_fee_4h"),
    *("hours", "total_funding", "funding_total", "funding_rate", "settlements", "sign", "in"),
    *("im_tiers", "mm_tiers", "tier_floor", "mmr_this", "mmr_prev", "cum_prev", "fills"),
    *("maintenance_margin", "initial_margin", "equity", "free_margin", "portfolio_value"),
    *("haircut", "haircut_implied"),
}
BALANCES = ("asset", "liab", "interest")
# Names that start so carry a unit or say more: a number, or a table with a number for each asset.
READ_NUMBERS = ("notional", *(f"{total}{word}" for total in ("total_", "") for word in BALANCES))
READ_TABLES = ("liab", "mmr", "maintenance_amount")
NOT_A_UNIT = re.compile(r"rate|max|min|cap|floor|limit|tier|fee|entry|open")
# Names that only describe a row, whatever they hold.
DESCRIPTIVE = {"comment", "mmr_cum_note", "net", "note", "tier"}
READ_OF_A_LEG = {"symbol", "side", "qty", "entry", "mark", "mmr", "cum", "contract_size"}
DESCRIPTIVE_OF_A_LEG = {"leverage", "note"}
# Names that sound as if a number depends on them.
MEANINGFUL = re.compile(r"mm|rule|fee|margin|price|rate|level|tier|tick|round")
# Words in rounding, and the direction that each means; "" leaves the price exact.
ROUNDINGS = {
    **dict.fromkeys(("up", "ceil", "ceiling"), "up"),
    **dict.fromkeys(("down", "floor", "truncate", "truncated", "truncation"), "down"),
    **dict.fromkeys(("none", "exact"), ""),
    "nearest": "nearest",
}


# ---- conventions of the venues: data


class Convention(NamedTuple):
    """How a venue measures one kind of contract.

    Attributes
    ----------
    liquidation
        "requirement": when the equity of a position meets its maintenance margin; "level": when
        the equity of the account falls to a share of its used margin; "": not known.
    requirement_at
        Price at which the maintenance margin is measured in the liquidation price: "mark", "entry",
        or "mark frozen" (in cross margin it stays at the current mark price).
    requirement_fee
        Whether a closing fee at the mark price belongs to that requirement.
    maintenance_fee, initial_margin_fee, balance_fee, collateral_fee
        Fee that the maintenance margin, the initial margin, the balance shown for a position, and
        the collateral of an isolated position hold: "closing" at the bankruptcy price, one "taker"
        fee on the value, or "none".
    initial_margin_at, maintenance_at, balance_at
        "mark" uses the mark price if the row has one; "mark in cross" only in cross margin.
    nets_closing_fee
        Whether the closing fee at the bankruptcy price is taken from a stated balance before it
        backs the position.
    roe_on
        Margin that the return on equity is measured on.
    break_even
        "entry fee", "realised" (what is booked so far), or "round trip".
    smallest_break_even_fee
        Least fee rate in the break-even price.
    funding_sign
        1 where received funding is positive, -1 where paid funding is; if the row does not say.
    face
        Contract size if the row has none; None if it differs between symbols.
    rounds_against_position
        Whether liquidation and bankruptcy prices are shown rounded up (long) or down (short).
    call_level, close_level
        Margin levels of a margin account.
    short_margin_floats
        Whether the used margin of a short is owed in coins and follows the price.
    nets_legs
        Whether the margin of two opposite legs of one symbol is that of the larger one.
    example_value
        Value of the position in the venue's worked example, which some rows leave out.
    """

    liquidation: Literal["requirement", "level", ""] = "requirement"
    requirement_at: Literal["mark", "entry", "mark frozen"] = "mark"
    requirement_fee: bool = False
    maintenance_fee: Fee = "none"
    initial_margin_fee: Fee = "none"
    balance_fee: Fee = "none"
    collateral_fee: Fee = "none"
    initial_margin_at: Literal["mark", "entry", "mark in cross"] = "entry"
    maintenance_at: Literal["mark", "entry"] = "mark"
    balance_at: Literal["mark", "entry"] = "entry"
    nets_closing_fee: bool = False
    roe_on: Literal["balance", "initial margin"] = "initial margin"
    break_even: Literal["entry fee", "realised", "round trip"] = "round trip"
    smallest_break_even_fee: float = 0.0
    funding_sign: Literal[1, -1] = 1
    face: float | None = 1.0
    rounds_against_position: bool = False
    call_level: float | None = None
    close_level: float | None = None
    short_margin_floats: bool = False
    nets_legs: bool = False
    example_value: float | None = None


BINANCE = Convention(initial_margin_at="mark", break_even="entry fee")
BYBIT = Convention(
    requirement_at="entry",
    maintenance_fee="closing",
    initial_margin_fee="closing",
    balance_fee="closing",
    maintenance_at="entry",
    nets_closing_fee=True,
    break_even="realised",
    smallest_break_even_fee=0.00055,
    funding_sign=-1,
    rounds_against_position=True,
)
BYBIT_SINCE_2025_09_02 = BYBIT._replace(
    requirement_at="mark", initial_margin_at="mark in cross", maintenance_at="mark"
)
MEXC = Convention(
    requirement_fee=True, initial_margin_fee="taker", balance_fee="taker", collateral_fee="taker"
)
MEXC_WITHOUT_FEE = MEXC._replace(requirement_at="entry", requirement_fee=False)
BITGET = Convention(
    requirement_at="mark frozen",
    requirement_fee=True,
    balance_fee="taker",
    balance_at="mark",
    roe_on="balance",
    break_even="realised",
)
GATE = Convention(requirement_fee=True)
PHEMEX = GATE._replace(balance_fee="closing", collateral_fee="closing")
KRAKEN_FUTURES = Convention(nets_legs=True)
KRAKEN_SPOT = Convention(
    liquidation="level", call_level=0.8, close_level=0.4, short_margin_floats=True
)
PRIMEXBT_CFD = Convention(
    liquidation="level", call_level=1.0, close_level=1.0, example_value=100_000.0
)
# PrimeXBT's and Gemini's perpetuals: a liquidation rule is not published.
PRIMEXBT_FUTURES = Convention(liquidation="", funding_sign=-1)
GEMINI = Convention(liquidation="")
BINANCE_SPOT = Convention(liquidation="")

CONVENTIONS = {
    ("binance", "linear"): BINANCE,
    ("binance", "inverse"): BINANCE._replace(face=None),
    ("binance", "spot_margin"): BINANCE_SPOT,
    ("bybit", "linear"): BYBIT,
    ("bybit", "inverse"): BYBIT,
    ("mexc", "linear"): MEXC,
    # How the inverse contracts of MEXC and Bitget are liquidated is not known.
    ("mexc", "inverse"): MEXC._replace(liquidation="", face=None),
    ("bitget", "linear"): BITGET,
    ("bitget", "inverse"): BITGET._replace(liquidation=""),
    ("kraken", "spot_margin"): KRAKEN_SPOT,
    ("krakenfutures", "linear"): KRAKEN_FUTURES,
    ("krakenfutures", "inverse"): KRAKEN_FUTURES,
    ("krakenfutures", "multi_collateral"): KRAKEN_FUTURES,
    ("primexbt", "cfd_margin"): PRIMEXBT_CFD,
    ("primexbt", "linear"): PRIMEXBT_FUTURES,
    ("gemini", "linear"): GEMINI,
    ("phemex", "linear"): PHEMEX,
    ("gate", "linear"): GATE,
    ("okx", "linear"): GATE,
}
# Rules that a venue replaced on a day. Rows without a date or a rule mean the earlier ones.
REPLACED = {
    ("bybit", "linear"): (date(2025, 9, 2), BYBIT_SINCE_2025_09_02),
    ("bybit", "inverse"): (date(2025, 9, 2), BYBIT_SINCE_2025_09_02),
}
# MEXC's own worked example has no fee and measures the requirement at the entry price.
WITHOUT_FEE = {("mexc", "linear"): MEXC_WITHOUT_FEE}


# ---- one row


class Case:
    """The inputs of a row, with errors that name the column that is missing or wrong."""

    def __init__(self, row: Mapping[str, str]) -> None:
        cells = {name: _text(row[name]) if name in row else "" for name in COLUMNS}
        self._cells = cells
        self.quantity = self._word("quantity", QUANTITIES)
        venue = self._word("venue", sorted({venue for venue, _ in CONVENTIONS}))
        kinds = sorted({kind for _, kind in CONVENTIONS})
        self.kind = self._word("contract_type", kinds)
        self.mode = cells["margin_mode"].lower()
        if venue == "kraken" and self.kind != "spot_margin":
            venue = "krakenfutures"
        if (venue, self.kind) not in CONVENTIONS:
            known = [kind for name, kind in CONVENTIONS if name == venue]
            _refuse("contract_type", f"one that {venue} is known for", self.kind, _one_of(known))
        self.venue = venue
        self.inverse = self.kind == "inverse"
        self.others = self._other_inputs()
        # What the row asks for is never an input, even if it is written beside the others.
        self.others.pop(self.quantity, None)
        self._refuse_unread()
        self.roundings = self._roundings()
        self.rules = self._rules()

    def _word(self, column: str, known: Iterable[str]) -> str:
        word = self._cells[column].lower()
        if word not in known:
            _refuse(column, "a known word", self._cells[column], _one_of(known))
        return word

    def _other_inputs(self) -> dict[str, Any]:
        text = self._cells["other_inputs"]
        try:
            found = json.loads(text) if text else {}
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            _refuse("other_inputs", "a JSON object", text, 'write {"mark_price": 100}')
        return cast(dict[str, Any], found)

    def _refuse_unread(self) -> None:
        """Refuse an input that would be ignored, and could change the number."""
        for name, value in self.others.items():
            is_read = name in READ | DESCRIPTIVE or _is_read_by_its_start(name, value)
            if not is_read and _matters(name, value):
                _refuse("other_inputs", "free of unknown inputs", name, "take it out or rename it")
        legs = self.others.get("other_positions")
        for leg in legs if isinstance(legs, list) else []:
            for name, value in leg.items() if isinstance(leg, dict) else ():
                if name not in READ_OF_A_LEG | DESCRIPTIVE_OF_A_LEG and _matters(name, value):
                    _refuse("other_positions", "free of unknown inputs", name, "take it out")

    def _roundings(self) -> dict[str, str]:
        """Return the direction of rounding for each side that the row names, "" for both."""
        text = str(self.others.get("rounding") or "").strip().lower()
        found = {}
        for part in re.split(r"\s*(?:,|;|/|\band\b)\s*", text) if text else []:
            words = re.fullmatch(r"(?:rounded )?(\w+)(?: for (long|short)s?)?", part)
            if not words or words[1] not in ROUNDINGS:
                remedy = 'write up, down, nearest or none, or "up for long, down for short"'
                _refuse("rounding in other_inputs", "made of known words", text, remedy)
            found[words[2] or ""] = ROUNDINGS[words[1]]
        return found

    def _rules(self) -> Convention:
        key = (self.venue, self.kind)
        if key in REPLACED:
            day, later = REPLACED[key]
            if self._is_later(day):
                return later
        if key in WITHOUT_FEE and not (self.cell("fee_rate") or 0.0):
            return WITHOUT_FEE[key]
        return CONVENTIONS[key]

    def _is_later(self, day: date) -> bool:
        words = " ".join(str(self.others.get(name, "")) for name in RULE).strip().lower()
        if words:
            new = bool(re.search(r"mark|new|since|after", words))
            if new == bool(re.search(r"entry|old|legacy|before|until|pre\b", words)):
                _refuse("rule in other_inputs", "clear", words, f"write new or old, as of {day}")
            return new
        on = str(next((self.others[name] for name in DATE if name in self.others), ""))
        if on and not re.fullmatch(r"\d{4}(-\d{2}){0,2}", on):
            _refuse("date in other_inputs", "written YYYY-MM-DD", on, "write the day in full")
        if on and on != day.isoformat() and day.isoformat().startswith(on):
            remedy = f"the rules changed on {day}; write the day in full"
            _refuse("date in other_inputs", "written YYYY-MM-DD", on, remedy)
        return on >= day.isoformat()

    # Numbers

    def cell(self, column: str) -> float | None:
        """Return the number in a column, None if it is blank."""
        text = self._cells[column]
        if not text:
            return None
        number = _number(column, text)
        if column in POSITIVE and number <= 0:
            _refuse(column, "positive", text, "the direction is in side")
        if column in RATES and abs(number) >= 1:
            _refuse(column, "a decimal below 1", text, "write 0.005 for 0.5 %")
        return number

    def needed(self, column: str) -> float:
        """Return the number in a column that the quantity cannot do without."""
        number = self.cell(column)
        if number is None:
            _refuse(column, f"given for {self}", "", "fill in the column")
        return number

    def other(self, *names: str) -> float | None:
        """Return the first of these numbers that other_inputs holds, None if it holds none."""
        for name in names:
            if self.others.get(name) is not None:
                return _number(f"{name} in other_inputs", self.others[name])
        return None

    def needed_other(self, *names: str) -> float:
        """Return a number of other_inputs that the quantity cannot do without."""
        number = self.other(*names)
        if number is None:
            self.lacks(*names)
        return number

    def other_like(self, *starts: str) -> float | None:
        """Return the first number of other_inputs whose name starts so, units aside."""
        numbers = [name for name, value in self.others.items() if isinstance(value, int | float)]
        names = (name for start in starts for name in numbers if name.startswith(start))
        return self.other(*names)

    def pairs(self, name: str) -> list[tuple[float, float]]:
        """Return a list of two numbers each, such as fills."""
        found = self.others.get(name)
        if found is None:
            self.lacks(name)
        if not isinstance(found, list) or not found:
            _refuse(f"{name} in other_inputs", "pairs of numbers", found, PAIRS)
        return [_pair(name, item) for item in found]

    def lacks(self, *names: str) -> NoReturn:
        """Raise an error about an input that other_inputs should hold."""
        held = ", ".join(self.others) or "nothing"
        wanted = " or ".join(names)
        raise ValueError(f"other_inputs must hold {wanted} for {self}, held {held}; add it")

    @property
    def side(self) -> int:
        """1 for a long, -1 for a short."""
        word = self._cells["side"].lower()
        if word not in SIDES:
            _refuse("side", f"long or short for {self}", self._cells["side"], "fill in the column")
        return SIDES[word]

    @property
    def has_side(self) -> bool:
        """Whether the row says long or short."""
        return self._cells["side"].lower() in SIDES

    @property
    def contract(self) -> dict[str, Any]:
        """What `leverage` has to know about the contract."""
        size = self.cell("contract_size") or self.rules.face
        if size is None:
            _refuse("contract_size", f"given for {self}", "", "it differs between symbols")
        return {"contract_size": size, "inverse": self.inverse}

    @property
    def units(self) -> float | None:
        """Number of contracts or coins; None if the row does not tell."""
        quantity, price = self.cell("qty"), self.cell("entry_price")
        if quantity is not None or price is None or self.rules.liquidation != "level":
            return quantity
        cost = self.other(*VALUE_AT_ENTRY, *VALUE)
        # A worked example without a size is about one unit.
        return cost / price if cost is not None else 1.0 if self.rules.example_value else None

    @property
    def size(self) -> float:
        """Number of contracts or coins, which the quantity cannot do without."""
        if self.units is None and self.rules.example_value:
            return 1.0
        return self.needed("qty") if self.units is None else self.units

    @property
    def entry(self) -> float:
        """Entry price; in a worked example without one, the value of its position."""
        price = self.cell("entry_price")
        if price is None and self.cell("qty") is None and self.rules.example_value:
            return self.other(*VALUE) or self.rules.example_value
        return self.needed("entry_price") if price is None else price

    @property
    def mark(self) -> float | None:
        """Mark price, stated or implied by the profit."""
        price, gain = self.other(*MARK), self.other("upnl")
        entry, quantity = self.cell("entry_price"), self.cell("qty")
        if price is not None or gain is None or entry is None or quantity is None or self.inverse:
            return price
        return entry + self.side * gain / (quantity * float(self.contract["contract_size"]))

    def fee(self) -> float:
        """Fee rate; 0 if the row has none."""
        return self.cell("fee_rate") or 0.0

    def __str__(self) -> str:
        return f"{self.quantity} of {self.venue} {self.kind}"


PAIRS = "write [[1, 2], [3, 4]]"


def _text(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in BLANK else text


def _number(name: str, value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(cast(str, value))
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        _refuse(name, "a finite number", value, "write it in digits, without a unit")
    return number


def _pair(name: str, item: object) -> tuple[float, float]:
    if not isinstance(item, list) or len(item) != 2:
        _refuse(f"{name} in other_inputs", "pairs of numbers", item, PAIRS)
    return _number(name, item[0]), _number(name, item[1])


def _is_read_by_its_start(name: str, value: object) -> bool:
    starts = READ_TABLES if isinstance(value, dict) else READ_NUMBERS
    return name.startswith(starts) and not NOT_A_UNIT.search(name)


def _matters(name: str, value: object) -> bool:
    """Whether an input with this name and value could belong in the computation."""
    if value is None or (name.endswith("note") and isinstance(value, str)):
        return False
    return bool(MEANINGFUL.search(name.lower())) or _has_number(value)


def _has_number(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_number, value.values() if isinstance(value, dict) else value))
    try:
        return not isinstance(value, bool) and math.isfinite(float(cast(str, value)))
    except (TypeError, ValueError):
        return False


def _refuse(name: str, rule: str, received: object, remedy: str) -> NoReturn:
    shown = "blank" if received == "" else repr(received)
    raise ValueError(f"{name} must be {rule}, was {shown}; {remedy}")


def _one_of(words: Iterable[str]) -> str:
    return f"use one of {', '.join(words)}"


# ---- values of a position


def value_at(case: Case, price: float) -> float:
    """Value of the position at a price."""
    return _float(lv.notional(price, case.size, **case.contract))


def entry_value(case: Case) -> float:
    """Value of the position when it was opened."""
    value = case.other(*VALUE_AT_ENTRY)
    if value is None and case.cell("qty") is None:
        value = case.other(*VALUE) or case.other_like("notional")
        if value is None and case.cell("entry_price") is None:
            value = case.rules.example_value or case.lacks(*VALUE_AT_ENTRY, *VALUE)
    return value_at(case, case.entry) if value is None else value


def current_value(case: Case) -> float | None:
    """Value of the position at the mark price; None if the row does not tell."""
    value = case.other(*VALUE_NOW)
    if value is None and case.mark is not None and case.units is not None:
        return value_at(case, case.mark)
    return value if value is not None else case.other(*VALUE) or case.other_like("notional")


def profit(case: Case) -> float | None:
    """Unrealised profit; None if the row does not tell."""
    stated = case.other("upnl")
    if stated is not None:
        return stated
    price = case.other(*MARK)
    if price is not None and case.units is not None:
        return _float(lv.pnl(case.side, case.entry, price, case.size, **case.contract))
    value = current_value(case)
    if value is None:
        return None
    # A position of one unit whose price is its value. In coins, it is worth less as it gains.
    side = _side_of_values(case) * (-1 if case.inverse else 1)
    return _float(lv.pnl(side, entry_value(case), value, 1))


def _side_of_values(case: Case) -> int:
    reading = str(case.others.get("reading", "")).replace(" ", "")
    if case.has_side or not reading:
        return case.side
    if reading in ("net=cost-value", "net=value-cost"):
        return lv.SHORT if reading == "net=cost-value" else lv.LONG
    _refuse("reading in other_inputs", "clear", reading, 'write "net = cost - value"')


def closing_fee(case: Case, price: float) -> float:
    """Fee kept for closing at the bankruptcy price, as the venue shows that price."""
    fee, bust = case.needed("fee_rate"), case.other("bust_price")
    if bust is not None:
        return _fee_at(case, bust, fee)
    margin = value_at(case, price) / case.needed("leverage")
    bust = shown_price(case, _bankruptcy(case, price, margin, 0.0))
    return _fee_at(case, bust, fee) if 0 < bust < math.inf else 0.0


def _fee_at(case: Case, price: float, rate: float) -> float:
    return _float(lv.trading_fee(value_at(case, price), rate))


def with_fee(case: Case, kind: Fee, *, at_mark: bool = False) -> float:
    """Margin for the chosen leverage, and the fee that the venue adds to it."""
    now = current_value(case) if at_mark else None
    value = entry_value(case) if now is None else now
    leverage, fee = case.needed("leverage"), case.fee()
    margin = _float(lv.initial_margin(value, leverage))
    if kind == "taker":
        margin += _float(lv.trading_fee(value, fee))
    if kind == "closing" and fee:
        margin += closing_fee(case, (case.mark if at_mark else None) or case.entry)
    return margin


def _bankruptcy(case: Case, price: float, margin: float, fee: float) -> float:
    found = lv.bankruptcy_price(
        case.side, price, case.size, margin, closing_fee_rate=fee, **case.contract
    )
    return _float(found)


def shown_price(case: Case, price: float) -> float:
    """Price on the grid of ticks, where it is known how the venue rounds."""
    tick, ways = case.other("tick"), case.roundings
    if tick is None or not (ways or case.rules.rounds_against_position):
        return price
    way = ways.get("long" if case.side > 0 else "short", ways.get(""))
    if way is None:
        return _float(lv.displayed_price(case.side, price, tick))
    if not way or not 0 < price < math.inf:
        return price
    return _float(lv.round_price(price, tick, direction=cast(Direction, way)))


# ---- collateral and other positions


def is_cross(case: Case) -> bool:
    """Whether the whole wallet backs the position."""
    if case.mode in ("cross", "isolated"):
        return case.mode == "cross"
    if case.mode == "any" and case.cell("leverage") is not None:
        return False
    _refuse("margin_mode", f"isolated or cross for {case}", case.mode, "fill in the column")


def stated_collateral(case: Case) -> float | None:
    """Collateral that the row states, without profit or loss."""
    stated = case.other(*WITH_CLOSING_FEE)
    if stated is not None:
        return stated
    stated = case.cell("wallet_balance")
    if is_cross(case):
        stated = wallet(case) if stated is None else stated
        return stated - (case.other("order_margin") or 0.0)
    has_leverage = case.cell("leverage") is not None
    if case.rules.nets_closing_fee and has_leverage and stated is not None:
        # The initial margin itself, and not a balance with the closing fee in it.
        stated = None if math.isclose(stated, with_fee(case, "none")) else stated
    elif stated is None and not has_leverage:
        stated = case.other("position_balance")
    if stated is None and (with_profit := case.other("isolated_margin_incl_upnl")) is not None:
        stated = with_profit - upnl(case)
    return None if stated is None else stated + (case.other(*EXTRA) or 0.0)


def collateral(case: Case) -> float:
    """Money that backs the position besides its own profit or loss."""
    stated = stated_collateral(case)
    if stated is None:
        if case.cell("leverage") is None:
            case.needed("wallet_balance")
        return with_fee(case, case.rules.collateral_fee) + _extra(case)
    if not case.rules.nets_closing_fee:
        return stated
    fee = case.needed("fee_rate")
    bust = case.other("bust_price") or _bankruptcy(case, case.entry, stated, fee)
    is_bankrupt_somewhere = 0 < bust < math.inf
    return stated - (_fee_at(case, bust, fee) if is_bankrupt_somewhere else 0.0)


def _extra(case: Case, *, is_bankruptcy: bool = False) -> float:
    """Margin added by hand; where a closing fee is kept, a part of it goes into that fee."""
    extra = case.other(*EXTRA) or 0.0
    in_full = case.rules.requirement_at == "entry" and not case.inverse and not is_bankruptcy
    if in_full or not case.rules.nets_closing_fee:
        return extra
    return extra / (1 + (case.side if case.inverse else -case.side) * case.fee())


class Others(NamedTuple):
    """Other positions on the same collateral, and the opposite leg of the same contract."""

    pnl: float
    requirement: float
    opposite: Mapping[str, Any] | None


def other_positions(case: Case) -> Others:
    """Sum up the other positions at their mark prices."""
    gain, need, opposite = 0.0, 0.0, None
    legs = case.others.get("other_positions", []) if is_cross(case) else []
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        _refuse("other_positions in other_inputs", "a list of objects", legs, "write one for each")
    for leg in legs:
        side = _leg_side(leg)
        if side != case.side and leg.get("symbol", "") == case.others.get("symbol"):
            opposite = leg
            continue
        contract = case.contract
        if "contract_size" in leg:
            contract["contract_size"] = _leg_number(leg, "contract_size")
        quantity, mark = abs(_leg_number(leg, "qty")), _leg_number(leg, "mark")
        gain += _float(lv.pnl(side, _leg_number(leg, "entry"), mark, quantity, **contract))
        need += _float(
            lv.maintenance_margin(
                lv.notional(mark, quantity, **contract),
                _leg_number(leg, "mmr"),
                maintenance_amount=_leg_number(leg, "cum", 0.0),
            )
        )
    return Others(gain, need, opposite)


def refuse_netting(case: Case) -> None:
    """Refuse two opposite legs of one symbol where the larger one alone ties up margin."""
    legs = case.others.get("other_positions")
    for leg in legs if case.rules.nets_legs and isinstance(legs, list) else []:
        if not isinstance(leg, dict) or _leg_side(leg) == case.side:
            continue
        if _symbol(leg) == _symbol(case.others):
            remedy = f"{case.venue} asks margin for the larger leg only; leave this row out"
            found = leg.get("symbol", "")
            _refuse("symbol in other_positions", "another one for an opposite leg", found, remedy)


def _symbol(names: Mapping[str, Any]) -> str:
    return str(names.get("symbol") or "").strip().lower()


def _leg_number(leg: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = leg.get(name, default)
    if value is None:
        _refuse(f"{name} in other_positions", "given for each position", "", "add it")
    return _number(f"{name} in other_positions", value)


def _leg_side(leg: Mapping[str, Any]) -> int:
    word = str(leg.get("side", "short" if _leg_number(leg, "qty") < 0 else "long")).lower()
    if word not in SIDES:
        _refuse("side in other_positions", "long or short", word, "write one of the two")
    return SIDES[word]


# ---- quantities


def liquidation_price(case: Case) -> float:
    """Mark price at which the position is liquidated."""
    if case.rules.liquidation == "level":
        return level_price(case, case.rules.close_level)
    if not case.rules.liquidation:
        if case.inverse:
            rule = f"one whose liquidation rule is known for {case.venue}"
            _refuse("contract_type", rule, case.kind, "leave this row out")
        _refuse("venue", "one with a published liquidation rule", case.venue, "leave this row out")
    refuse_netting(case)
    is_frozen = case.rules.requirement_at == "mark frozen" and is_cross(case)
    if is_frozen and case.mark is None:
        case.lacks(*MARK)
    rate, amount = case.needed("mm_rate"), case.cell("maintenance_amount") or 0.0
    fee = case.needed("fee_rate") if case.rules.requirement_fee else 0.0
    margin, others = collateral(case), other_positions(case)
    if others.opposite is not None:
        return shown_price(case, _hedge_price(case, margin, others, fee))
    fixed_at = case.entry if case.rules.requirement_at == "entry" else None
    if is_frozen:
        fixed_at = case.mark
    price = lv.liquidation_price(
        case.side,
        case.entry,
        case.size,
        margin,
        rate,
        maintenance_amount=amount,
        closing_fee_rate=fee,
        other_pnl=others.pnl,
        other_requirement=others.requirement,
        requirement_price=fixed_at,
        **case.contract,
    )
    return shown_price(case, _float(price))


def _hedge_price(case: Case, margin: float, others: Others, fee: float) -> float:
    leg = cast(Mapping[str, Any], others.opposite)
    own = (case.entry, case.size, case.needed("mm_rate"))
    opposite = (_leg_number(leg, "entry"), abs(_leg_number(leg, "qty")), _leg_number(leg, "mmr"))
    long, short = (own, opposite) if case.side > 0 else (opposite, own)
    price = lv.hedge_liquidation_price(
        *long[:2],
        *short[:2],
        margin,
        long[2],
        short_maintenance_margin_rate=short[2],
        maintenance_amount=(case.cell("maintenance_amount") or 0.0) + _leg_number(leg, "cum", 0.0),
        closing_fee_rate=fee,
        other_pnl=others.pnl,
        other_requirement=others.requirement,
        **case.contract,
    )
    return _float(price)


def bankruptcy_price(case: Case) -> float:
    """Mark price at which the collateral is used up."""
    refuse_netting(case)
    stated = stated_collateral(case)
    if stated is None and case.rules.nets_closing_fee:
        margin = with_fee(case, "none") + _extra(case, is_bankruptcy=True)
        return shown_price(case, _bankruptcy(case, case.entry, margin, 0.0))
    holds_fee = case.rules.nets_closing_fee or case.rules.collateral_fee != "none"
    fee = case.needed("fee_rate") if holds_fee else 0.0
    margin = (collateral(case) if stated is None else stated) + other_positions(case).pnl
    return shown_price(case, _bankruptcy(case, case.entry, margin, fee))


def margin_call_price(case: Case) -> float:
    """Price at which the margin level of the account falls to the call level."""
    return level_price(case, case.rules.call_level)


def level_price(case: Case, usual: float | None) -> float:
    """Price at which the equity is a given share of the used margin."""
    stated = case.other("level")
    level = usual if stated is None else stated
    if case.rules.liquidation != "level" or level is None:
        _refuse("venue", "one that goes by the margin level", case.venue, "leave this row out")
    used, leverage = case.other("used_margin"), case.cell("leverage")
    if used and (leverage is None or not case.rules.short_margin_floats or case.side > 0):
        leverage = entry_value(case) / used
    coins = case.other("used_margin_base")
    if leverage is None and coins and case.rules.short_margin_floats and case.side < 0:
        leverage = case.size * float(case.contract["contract_size"]) / coins
    price = lv.margin_level_price(
        case.side,
        case.entry,
        case.size * float(case.contract["contract_size"]),
        case.needed("leverage") if leverage is None else leverage,
        wallet(case),
        level,
        floating_margin=case.rules.short_margin_floats and case.side < 0,
    )
    return shown_price(case, _float(price))


def wallet(case: Case) -> float:
    """Balance of the account without unrealised profit."""
    balance = case.cell("wallet_balance")
    if balance is None:
        balance = case.other("trade_balance", "balance")
    return case.needed("wallet_balance") if balance is None else balance


def upnl(case: Case) -> float:
    """Unrealised profit at the mark price."""
    gain = profit(case)
    return case.lacks(*MARK) if gain is None else gain


def closed_pnl_gross(case: Case) -> float:
    """Profit between entry and exit, before fees."""
    exit_price = case.needed_other(*EXIT)
    return _float(lv.pnl(case.side, case.entry, exit_price, case.size, **case.contract))


def closed_pnl(case: Case) -> float:
    """Profit between entry and exit, after fees and funding."""
    stated = case.other("cum_realised_pnl")
    fees = [abs(f) for f in (case.other("open_fee"), case.other("close_fee")) if f is not None]
    funding = _funding_received(case)
    gross = closed_pnl_gross(case) if stated is None else stated
    return gross - (sum(fees) if len(fees) == 2 else _both_fees(case)) + funding


def _funding_received(case: Case) -> float:
    """Funding of a position so far; both names are signed, and negative is what was paid."""
    return (case.other("total_funding") or 0.0) + (case.other("funding_total") or 0.0)


def _both_fees(case: Case) -> float:
    cost = lv.round_trip_cost(
        case.entry,
        case.needed_other(*EXIT),
        case.size,
        case.needed("fee_rate"),
        exit_fee_rate=case.other("exit_fee_rate"),
        **case.contract,
    )
    return _float(cost)


def fee(case: Case) -> float:
    """Fee for opening, and for closing too if the row has an exit price."""
    if case.other(*EXIT) is not None:
        return _both_fees(case)
    return _float(lv.trading_fee(entry_value(case), case.needed("fee_rate")))


def fee_to_close(case: Case) -> float:
    """Fee for closing at the bankruptcy price."""
    return closing_fee(case, case.entry)


def order_cost(case: Case) -> float:
    """Initial margin, opening fee and closing fee."""
    cost = lv.order_cost(
        case.side,
        case.entry,
        case.size,
        case.needed("leverage"),
        case.needed("fee_rate"),
        **case.contract,
    )
    return _float(cost)


def notional(case: Case) -> float:
    """Value of the position, at the mark price if the row has one."""
    value = current_value(case)
    return entry_value(case) if value is None else value


def initial_margin(case: Case) -> float:
    """Initial margin as the venue states it."""
    refuse_netting(case)
    debts = _by_asset(case, "liab")
    if debts:
        return _bracket_sum(case, debts, "im_tiers")
    at = case.rules.initial_margin_at
    at_mark = at == "mark" or (at == "mark in cross" and case.mode == "cross")
    margin = with_fee(case, case.rules.initial_margin_fee, at_mark=at_mark)
    return margin * (case.mark or case.entry) if _in_quote_currency(case) else margin


def _in_quote_currency(case: Case) -> bool:
    words = str(case.others.get("in", "")).lower()
    return case.inverse and bool(re.search(r"convert|usd|quote", words))


def maintenance_margin(case: Case) -> float:
    """Maintenance margin as the venue states it."""
    refuse_netting(case)
    debts = _by_asset(case, "liab")
    if debts and "mm_tiers" in case.others:
        return _bracket_sum(case, debts, "mm_tiers")
    if debts:
        rates, amounts = _by_asset(case, "mmr"), _by_asset(case, "maintenance_amount")
        return sum(
            _float(
                lv.maintenance_margin(
                    debt,
                    _of_asset(case, "mmr", rates, asset),
                    maintenance_amount=amounts.get(asset, 0.0),
                )
            )
            for asset, debt in debts.items()
        )
    rate, amount = case.needed("mm_rate"), case.cell("maintenance_amount") or 0.0
    at_mark = case.rules.maintenance_at == "mark"
    value = notional(case) if at_mark else entry_value(case)
    need = _float(lv.maintenance_margin(value, rate, maintenance_amount=amount))
    if case.rules.maintenance_fee == "closing" and case.fee():
        cross_mark = case.mark if at_mark and case.mode == "cross" else None
        need += closing_fee(case, case.entry if cross_mark is None else cross_mark)
    return need


def _by_asset(case: Case, start: str) -> dict[str, Any]:
    for name, value in case.others.items():
        if name.startswith(start) and isinstance(value, dict):
            return {asset: _number(f"{name} of {asset}", cell) for asset, cell in value.items()}
    return {}


def _of_asset(case: Case, name: str, table: Mapping[str, Any], asset: str) -> Any:
    return table[asset] if asset in table else case.lacks(f"{name} of {asset}")


def _bracket_sum(case: Case, debts: Mapping[str, float], name: str) -> float:
    tables, total = case.others.get(name), 0.0
    if not isinstance(tables, dict):
        case.lacks(name)
    for asset, debt in debts.items():
        table = _of_asset(case, name, tables, asset)
        if not isinstance(table, list) or not table:
            _refuse(f"{name} of {asset} in other_inputs", "pairs of numbers", table, PAIRS)
        brackets = [_pair(f"{name} of {asset}", _without_end(bracket)) for bracket in table]
        bounds = [0.0, *(upper for upper, _ in brackets)]
        total += _float(
            lv.TierTable.marginal(bounds, [r for _, r in brackets]).maintenance_margin(debt)
        )
    return total


def _without_end(bracket: Any) -> Any:
    """Write the end of a bracket that has none as a number."""
    is_open = isinstance(bracket, list) and len(bracket) == 2 and bracket[0] is None
    return [1e300, bracket[1]] if is_open else bracket


def maintenance_amount(case: Case) -> float:
    """Amount of a tier, from the one before it."""
    this = case.other("mmr_this")
    floor, before, amount = (
        case.needed_other(name) for name in ("tier_floor", "mmr_prev", "cum_prev")
    )
    rates = [before, case.needed("mm_rate") if this is None else this]
    return amount + float(lv.maintenance_amounts([0.0, floor], rates)[-1])


def margin_ratio(case: Case) -> float:
    """Requirement as a share of the equity, both at the mark price."""
    gain, others = upnl(case), other_positions(case)
    need = maintenance_margin(case) + others.requirement
    if case.rules.requirement_fee:
        need += _float(lv.trading_fee(notional(case), case.needed("fee_rate")))
    stated = stated_collateral(case)
    backing = with_fee(case, case.rules.balance_fee) if stated is None else stated
    return _float(lv.margin_ratio(need, backing + others.pnl + gain))


def margin_level(case: Case) -> float:
    """Assets over debts; in portfolio accounts, net equity over maintenance margin."""
    assets, debts = case.other_like("total_asset", "asset"), case.other_like("total_liab", "liab")
    if assets is None or debts is None:
        if case.rules.liquidation == "level":
            return margin_level_pct(case) / 100
        case.lacks("total_asset_btc", "total_liability_btc")
    interest = case.other_like("total_interest", "interest") or 0.0
    if case.mode == "cross_pro":
        need = case.other("maintenance_margin")
        need = maintenance_margin(case) if need is None else need
        return _float(lv.margin_level(assets - debts - interest, need))
    return _float(lv.margin_level(assets, debts + interest))


def margin_level_pct(case: Case) -> float:
    """Equity over used margin, in per cent."""
    return 100 * _float(lv.margin_level(equity_or_wallet(case), margin_in_use(case)))


def equity(case: Case) -> float:
    """Balance plus unrealised profit."""
    return wallet(case) + upnl(case)


def equity_or_wallet(case: Case) -> float:
    """Equity; the balance alone while there is no profit or loss."""
    stated = case.other("equity", "portfolio_value")
    if stated is not None:
        return stated
    return wallet(case) + (profit(case) or 0.0)


def isolated_margin(case: Case) -> float:
    """Margin of an isolated position with its unrealised profit."""
    stated = stated_collateral(case)
    balance = with_fee(case, case.rules.balance_fee) if stated is None else stated
    return balance + upnl(case)


def used_margin(case: Case) -> float:
    """Margin that the position ties up."""
    refuse_netting(case)
    floats = case.rules.short_margin_floats and case.has_side and case.side < 0
    coins = case.other("used_margin_base")
    if floats and coins is not None:
        return _float(lv.notional(case.mark or case.entry, coins))
    return with_fee(case, "none", at_mark=floats)


def margin_in_use(case: Case) -> float:
    """Used margin, stated or computed."""
    stated = case.other("used_margin", "initial_margin")
    return used_margin(case) if stated is None else stated


def free_margin(case: Case) -> float:
    """Equity that no position ties up."""
    return _float(lv.free_margin(equity_or_wallet(case), margin_in_use(case)))


def available_margin_pct(case: Case) -> float:
    """Free margin as a percentage of the equity."""
    whole = equity_or_wallet(case)
    if whole <= 0:
        _refuse("equity", f"positive for {case}", whole, "there is no share of a lost account")
    return 100 * free_margin(case) / whole


def max_new_position(case: Case) -> float:
    """Largest position that the free margin opens."""
    free = case.other("free_margin")
    free = free_margin(case) if free is None else free
    return _float(lv.position_value(free, case.needed("leverage")))


def position_balance(case: Case) -> float:
    """Margin shown for the position, with the fee that the venue keeps in it."""
    return with_fee(case, case.rules.balance_fee, at_mark=case.rules.balance_at == "mark")


def roe(case: Case) -> float:
    """Unrealised profit over the margin shown for the position."""
    margin = case.other("position_balance", "initial_margin")
    if margin is None:
        on_balance = case.rules.roe_on == "balance"
        margin = position_balance(case) if on_balance else with_fee(case, "none")
    return upnl(case) / margin


def funding(case: Case) -> float:
    """Funding of one or more settlements, with the sign that the row states."""
    viewpoint, sign = _funding_sign(case)
    price, value = case.other(*MARK), case.other(*VALUE) or case.other_like("notional")
    if "settlements" in case.others:
        settlements = case.pairs("settlements")
    elif price is not None:
        settlements = [(price, case.needed_other("funding_rate"))]
    else:
        # A position of one unit whose price is its value.
        value = value or case.lacks(*MARK, *VALUE, "settlements")
        return sign * _float(
            lv.funding_payment(viewpoint, value, 1, case.needed_other("funding_rate"))
        )
    payments = (
        _float(lv.funding_payment(viewpoint, price, case.size, rate, **case.contract))
        for price, rate in settlements
    )
    return sign * sum(payments)


def _funding_sign(case: Case) -> tuple[int, int]:
    """Return the side whose money is counted, and whether received (1) or paid (-1) is positive."""
    words = str(case.others.get("sign", "")).lower()
    if not words:
        return case.side, case.rules.funding_sign
    found = re.search(
        r"(?:(long|short)s? )?(receive|paid|pays?\b)\w*(?: by (?:the )?(long|short))?", words
    )
    if not found:
        _refuse("sign in other_inputs", "clear", words, 'write "+ = received" or "+ = paid"')
    sign = 1 if found[2] == "receive" else -1
    if re.match(r"-|neg", words):
        sign = -sign
    whose = found[1] or found[3]
    return (SIDES[whose] if whose else case.side), sign


def break_even_price(case: Case) -> float:
    """Exit price without profit or loss, by the venue's own definition."""
    rate, entry = case.needed("fee_rate"), case.entry
    if case.rules.break_even == "entry fee":
        price = lv.break_even_price(case.side, entry, rate, exit_fee_rate=0.0)
        return shown_price(case, _float(price))
    if case.rules.break_even == "round trip":
        price = lv.break_even_price(case.side, entry, rate, inverse=case.inverse)
        return shown_price(case, _float(price))
    realised = case.other("realised_pnl", "realised", "cum_realised_pnl")
    if realised is None:
        opening = case.other("open_fee_total", "open_fee")
        opening = _float(lv.trading_fee(entry_value(case), rate)) if opening is None else opening
        received = _funding_received(case)
        realised = received - abs(opening)
    rate = max(rate, case.rules.smallest_break_even_fee)
    booked = {"realised_pnl": realised, "quantity": case.size, **case.contract}
    price = lv.break_even_price(case.side, entry, 0.0, exit_fee_rate=rate, **booked)
    return _float(price)


def average_entry_price(case: Case) -> float:
    """Average entry price of several fills, each [quantity, price]."""
    quantities, prices = zip(*case.pairs("fills"), strict=True)
    return _float(lv.average_entry_price(prices, quantities, inverse=case.inverse))


def rollover_fees(case: Case) -> float:
    """Fees for holding, one for each full interval."""
    cost = lv.rollover_cost(
        entry_value(case), case.needed_other("roll_fee_4h"), case.needed_other("hours")
    )
    return _float(cost)


def total_fees(case: Case) -> float:
    """Opening fee, rollover fees, and the trading fees that the row has rates for."""
    value = entry_value(case)
    usual = case.cell("fee_rate")
    at_opening, at_closing = case.other("maker", "taker"), case.other("taker", "maker")
    rates = (usual if rate is None else rate for rate in (at_opening, at_closing))
    trades = sum(_float(lv.trading_fee(value, rate or 0.0)) for rate in rates)
    opening = _float(lv.trading_fee(value, case.other("open_fee") or 0.0))
    return trades + opening + rollover_fees(case)


def collateral_value(case: Case) -> float:
    """Value of balances after their haircuts."""
    value, haircut = case.needed_other("value"), case.needed_other("haircut", "haircut_implied")
    return _float(lv.collateral_value([value], haircut))


def portfolio_value(case: Case) -> float:
    """Balance plus unrealised profit of all positions."""
    gain = case.other("pnl", "upnl")
    return wallet(case) + (upnl(case) if gain is None else gain)


def _float(value: Any) -> float:
    return float(value)


QUANTITIES: dict[str, Callable[[Case], float]] = {
    "assigned_balance": position_balance,
    "available_margin": free_margin,
    "available_margin_pct": available_margin_pct,
    "average_entry_price": average_entry_price,
    "bankruptcy_price": bankruptcy_price,
    "break_even_price": break_even_price,
    "closed_pnl": closed_pnl,
    "closed_pnl_gross": closed_pnl_gross,
    "collateral_value": collateral_value,
    "equity": equity,
    "fee": fee,
    "fee_to_close": fee_to_close,
    "free_margin": free_margin,
    "funding": funding,
    "initial_margin": initial_margin,
    "isolated_margin": isolated_margin,
    "liquidation_price": liquidation_price,
    "maintenance_amount": maintenance_amount,
    "maintenance_margin": maintenance_margin,
    "margin_call_price": margin_call_price,
    "margin_level": margin_level,
    "margin_level_pct": margin_level_pct,
    "margin_ratio": margin_ratio,
    "max_new_position": max_new_position,
    "net_profit": closed_pnl,
    "notional": notional,
    "order_cost": order_cost,
    "portfolio_value": portfolio_value,
    "position_balance": position_balance,
    "position_value": notional,
    "roe": roe,
    "rollover_fees": rollover_fees,
    "total_fees": total_fees,
    "upnl": upnl,
    "used_margin": used_margin,
}


def compute(row: Mapping[str, str]) -> float:
    """Compute the quantity that a row asks for.

    Parameters
    ----------
    row : mapping of str to str
        Columns of vectors.csv; blank and "n/a" mean not given. Only the columns in `COLUMNS` are
        read.

    Returns
    -------
    float
        The quantity, in the unit of the row.

    Raises
    ------
    ValueError
        If the venue, contract type or quantity is unknown, an input is missing, or a number breaks
        its rule; the message names the column.

    Examples
    --------
    >>> compute({"venue": "mexc", "contract_type": "linear", "side": "long", "qty": "0.1",
    ...          "entry_price": "50000", "leverage": "25", "quantity": "initial_margin"})
    200.0
    """
    case = Case(row)
    return QUANTITIES[case.quantity](case)
