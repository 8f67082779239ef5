"""Check what a caller gives, and say in one sentence what to do about it.

An argument name means the same thing in the whole package, so each name has one rule, kept in one
table. Every error is a `ValueError` that names the argument, the rule, what was received and what
to do.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import inf, nextafter
from reprlib import repr as short_repr
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

_ABOVE_ZERO = nextafter(0.0, 1.0)
_BELOW_ONE = nextafter(1.0, 0.0)
_LARGEST = nextafter(inf, 0.0)
# Above it a float no longer holds every whole number.
_LARGEST_EXACT = 2.0**53
# What has a conversion to float, or seems to, and is no number.
_NO_NUMBERS = (bool, np.bool_, str, bytes, np.ndarray, np.timedelta64, np.datetime64)


class Known(NamedTuple):
    """Highest rate that the course's venues have, and what they do with it."""

    rate: float
    words: str


# A rate above what the course's venues have is most likely a number of per cent: 0.4 % for a spot
# margin trade, 0.025 % for opening or keeping it, 0.25 % of funding at a settlement (Kraken),
# 20 % of maintenance where more than 2x is allowed (Bitget, Kraken), 5 % in a first tier (Kraken in
# the EEA), 3.9 % between the close and the next open of a bundled hour. A test holds them.
FEE = Known(0.004, "a venue of the course charges")
ROLLOVER = Known(0.00025, "a venue of the course charges")
FUNDING = Known(0.0025, "a venue of the course is known to allow at a settlement")
MAINTENANCE = Known(0.2, "a venue of the course asks where it allows more than 2x")
LIQUIDATION = Known(0.05, "a venue asks of its smallest positions, out of which it is paid")
JUMP = Known(0.04, "a price jumped between two hours of the bundled crashes")


class CourseWarning(UserWarning):
    """What can be computed and is hardly meant; it says what to do."""


class Rule(NamedTuple):
    """Closed interval a value must lie in, the words for it, and what to do otherwise."""

    words: str
    low: float
    high: float
    advice: str
    is_decimal: bool = False
    is_sign: bool = False
    is_whole: bool = False
    known: Known | None = None

    def admits(self, values: FloatArray) -> BoolArray:
        """Tell for each value whether it keeps the rule; NaN never does."""
        if self.is_sign:
            return cast(BoolArray, abs(values) == 1)
        inside: BoolArray = (self.low <= values) & (values <= self.high)
        return inside & (np.floor(values) == values) if self.is_whole else inside

    def advice_on(self, value: float) -> str:
        """Say what to do about a value that breaks the rule."""
        if self.is_decimal and abs(value) > 1 and self.low <= value / 100 <= self.high:
            return f"looks like per cent: give {shown(value / 100)} for {shown(value)} %"
        return self.advice


def _positive(advice: str) -> Rule:
    return Rule("positive", _ABOVE_ZERO, _LARGEST, advice)


def _zero_or_more(advice: str) -> Rule:
    return Rule("zero or more", 0.0, _LARGEST, advice)


def _any_number(advice: str) -> Rule:
    return Rule("a finite number", -_LARGEST, _LARGEST, advice)


def _share(advice: str) -> Rule:
    return Rule("from 0 to below 1", 0.0, _BELOW_ONE, advice, is_decimal=True)


def _signed_rate(advice: str) -> Rule:
    return Rule("between -1 and 1", -_BELOW_ONE, _BELOW_ONE, advice, is_decimal=True)


def _decimal(low: float, high: float, words: str, advice: str) -> Rule:
    return Rule(words, low, high, advice, is_decimal=True)


def _count(low: float, high: float, advice: str) -> Rule:
    words = f"a whole number from {low:.15g} to {high:.15g}"
    return Rule(words, low, high, advice, is_whole=True)


_PRICE = _positive("give a price in quote currency per unit of base currency")
_QUANTITY = _positive("use side=-1 for a short position")
_LEG = _positive("give the size of each leg; a single leg has liquidation_price")
_FEE = _signed_rate("give 0.0005 for 0.05 %, a negative rate for a rebate")._replace(known=FEE)
_MAINTENANCE_RATE = _share("give 0.004 for 0.4 %")._replace(known=MAINTENANCE)
_VOLATILITY = _decimal(0.0, 10.0, "from 0 to 10", "give 0.6 for 60 % a year")
_RULES: dict[str, Rule] = {
    "side": Rule("1 (long) or -1 (short)", -1.0, 1.0, "use LONG or SHORT", is_sign=True),
    "price": _PRICE,
    "prices": _PRICE,
    "entry_price": _PRICE,
    "exit_price": _PRICE,
    "mark_price": _PRICE,
    "liquidation_price": Rule("zero or more", 0.0, inf, "give what liquidation_price returned"),
    "quantity": _QUANTITY,
    "quantities": _QUANTITY,
    "signed_quantities": _any_number("give what was bought, and what was sold as negative numbers"),
    "fees": _any_number("give the fee of each fill, a rebate as a negative number"),
    "contract_size": _positive("give the amount that one contract stands for"),
    "notional": _zero_or_more("give the size of the position; its direction belongs in side"),
    "margin": _zero_or_more("give the collateral put up, without profit or loss"),
    "leverage": Rule("1 or more", 1.0, _LARGEST, "give 10 for 10x"),
    "equity": _any_number("give the margin plus the unrealised profit or loss"),
    "maintenance_margin": _zero_or_more("give the requirement as an amount of money"),
    "maintenance_margin_rate": _MAINTENANCE_RATE,
    "maintenance_amount": _zero_or_more("give the amount that the tier subtracts"),
    "closing_fee_rate": _share("give 0.0005 for 0.05 %")._replace(known=FEE),
    "fee_rate": _FEE,
    "exit_fee_rate": _FEE,
    "funding_rate": _signed_rate(
        "give 0.0001 for 0.01 %, a negative rate when shorts pay"
    )._replace(known=FUNDING),
    "target_roe": _any_number("give 0.2 for 20 % of the initial margin"),
    "loss": _share("give 0.2 for a loss of 20 %; nothing makes good a total loss"),
    # Rounding
    "tick_size": _positive("give the step between two prices, 0.1 for one decimal"),
    "lot_size": _positive("give the step between two quantities, 0.001 for three decimals"),
    # Tier tables
    "bounds": Rule("zero or more", 0.0, inf, "start at 0; inf may stand for no upper bound"),
    "lower_bounds": _zero_or_more("give the notional at which each tier begins"),
    "maintenance_margin_rates": _MAINTENANCE_RATE._replace(known=None),
    "max_leverages": Rule("1 or more", 1.0, _LARGEST, "give 10 for 10x"),
    "maintenance_amounts": _zero_or_more("give the amount that each tier subtracts"),
    # Margin
    "other_pnl": _any_number("give the unrealised profit or loss of all other positions"),
    "other_requirement": _zero_or_more("give the maintenance margin of all other positions"),
    "requirement_price": _PRICE,
    "long_entry_price": _PRICE,
    "long_quantity": _LEG,
    "short_entry_price": _PRICE,
    "short_quantity": _LEG,
    "short_maintenance_margin_rate": _MAINTENANCE_RATE,
    "balance": _any_number("give the wallet balance without unrealised profit or loss"),
    "used_margin": _zero_or_more("give the margin that open positions tie up"),
    "level": _decimal(0.0, 10.0, "from 0 to 10", "give 0.8 for a margin level of 80 %"),
    "values": _any_number("give the value of each balance in one currency"),
    "haircut": _decimal(0.0, 1.0, "from 0 to 1", "give 0.02 for a haircut of 2 %"),
    # Profit and costs
    "realised_pnl": _any_number("give what is booked so far, fees paid as a negative number"),
    "funding": _any_number("give the funding received, a negative number if paid"),
    "premium": _signed_rate("give 0.0002 for a perpetual 0.02 % above its index"),
    "interest_rate": _signed_rate("give 0.0001 for 0.01 % per interval"),
    "clamp_rate": _share("give 0.0005 for 0.05 %"),
    "cap_rate": _share("give 0.02 for 2 %"),
    "borrowed": _zero_or_more("give the amount borrowed"),
    "hours": _zero_or_more("give the time since opening in hours"),
    "interval_hours": _positive("give 4 for a fee every four hours"),
    "position_cost": _zero_or_more("give the size times the entry price"),
    "rollover_rate": _share("give 0.0001 for 0.01 % per interval")._replace(known=ROLLOVER),
    "opening_rate": _share("give 0.0001 for 0.01 %")._replace(known=ROLLOVER),
    # Sizing
    "stop_price": _PRICE,
    "target_price": _PRICE,
    "slippage": _share("give 0.001 for 0.1 % of the stop")._replace(known=JUMP),
    "risk_amount": _positive("give the loss you accept, as a positive amount"),
    "reward_to_risk": _positive("give 2 when the target is twice as far as the stop"),
    "win_rate": _decimal(0.0, 1.0, "from 0 to 1", "give 0.55 for 55 %"),
    "average_win": _zero_or_more("give the mean profit of the winning trades"),
    "average_loss": _zero_or_more("give the mean loss of the losing trades, as a positive number"),
    "profits": _any_number("give one result for each trade, losses as negative numbers"),
    "risks": _positive("give the amount that each trade put at risk"),
    "expected_return": _decimal(-10.0, 10.0, "between -10 and 10", "give 0.1 for 10 % a year"),
    "volatility": _decimal(_ABOVE_ZERO, 10.0, "above 0 and up to 10", _VOLATILITY.advice),
    "equities": _any_number("give the equity at each moment, oldest first"),
    "streak": _count(1.0, 1e6, "give the length of the losing streak"),
    "trades": _count(1.0, 1e6, "give the number of trades"),
    # Price paths and survival
    "start_price": _PRICE,
    "end_price": Rule("zero or more", 0.0, inf, "give a price, or what liquidation_price returned"),
    "start_prices": _PRICE,
    "level_price": _PRICE,
    "lower_price": _PRICE,
    "upper_price": _PRICE,
    "levels": _PRICE,
    "drift": _decimal(-10.0, 10.0, "between -10 and 10", "give 0.1 for 10 % a year"),
    "step_hours": _zero_or_more("give 1 for hourly steps"),
    "steps": _count(1.0, 1e7, "give the number of steps"),
    "paths": _count(1.0, 1e9, "give the number of paths"),
    "threads": _count(1.0, 1024.0, "give the number of cores to use"),
    "log_returns": _any_number("give ln(price / price before), without gaps"),
    "mean_block": Rule("1 or more", 1.0, _LARGEST, "give the mean length of a block in steps"),
    "mean_return": _any_number("give the mean log return of a step, 0 for none"),
    "jumps_per_year": _zero_or_more("give the mean number of jumps in 365 days"),
    "jump_mean": _any_number("give the mean jump as a log return, -0.05 for about -5 %"),
    "jump_volatility": _decimal(0.0, 10.0, "from 0 to 10", "give 0.1 for jumps of about 10 %"),
    "transitions": Rule("from 0 to 1", 0.0, 1.0, "give the probability of each change in a step"),
    # Bots
    "max_drawdown": _decimal(_ABOVE_ZERO, 1.0, "above 0 and at most 1", "give 0.2 for 20 %"),
    "max_exposure": Rule("positive", _ABOVE_ZERO, inf, "give 5 for five times the equity"),
    "max_age": Rule("positive", _ABOVE_ZERO, inf, "give an age in seconds"),
    "bars": _count(1.0, 1e9, "give how many bars to run, or leave it out"),
    "fast": _count(1.0, 1e6, "give the bars in the fast average"),
    "slow": _count(1.0, 1e6, "give the bars in the slow average"),
    "exposure": _positive("give 2 for twice the equity"),
    "stop": _decimal(
        _ABOVE_ZERO, _BELOW_ONE, "between 0 and 1", "give 0.05 for 5 % from the entry"
    ),
    "threshold": _signed_rate("give 0.0001 for 0.01 % per interval"),
    "lower": _PRICE,
    "upper": _PRICE,
    "portions": _count(1.0, 1e5, "give the steps of the grid"),
    "step": _decimal(_ABOVE_ZERO, _BELOW_ONE, "between 0 and 1", "give 0.02 for 2 %"),
    "safety_orders": _count(0.0, 1e4, "give the orders after the first"),
    "additions": _count(0.0, 1e4, "give the orders after the first"),
    "take_profit": _decimal(_ABOVE_ZERO, 10.0, "above 0 and at most 10", "give 0.01 for 1 %"),
    "multiplier": _positive("give 2 for orders that double, 1 for equal ones"),
    "order_margin": _positive("give the margin of the first order"),
    "count": _count(1.0, 1e9, "give a number of bars"),
    "train": _count(1.0, 1e9, "give a number of bars"),
    "test": _count(1.0, 1e9, "give a number of bars"),
    # Portfolio
    "moves": Rule("above -1", nextafter(-1.0, 0.0), _LARGEST, "give -0.1 for a fall of 10 %"),
    "shocks": _any_number("give -0.1 for a fall of 10 % at full strength"),
    "collateral": _any_number(
        "give how much of each coin counts, what is owed as a negative number"
    ),
    "notionals": _any_number("give the notional of each position, shorts as negative numbers"),
    "volatilities": _VOLATILITY,
    "correlations": Rule("from -1 to 1", -1.0, 1.0, "give a matrix with ones on its diagonal"),
    "returns": _any_number("give one row for each period and one column for each symbol"),
}


def checked(**arguments: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return the arguments as floats, in order, each checked by the rule for its name.

    Their shapes must broadcast against each other.

    Examples
    --------
    >>> side, entry_price = checked(side=1, entry_price=[100, 200])
    >>> side * entry_price
    array([100., 200.])
    """
    values = tuple(_check(name, value) for name, value in arguments.items())
    if any(value.ndim for value in values):
        _check_shapes(tuple(arguments), values)
        if any(has_labels(value) for value in arguments.values()):
            same_labels(arguments)
    return values


def has_labels(value: object) -> bool:
    """Tell whether a value is a Series or DataFrame of pandas, without importing it.

    Examples
    --------
    >>> has_labels([1, 2]), has_labels(np.ones(2))
    (False, False)
    """
    return hasattr(value, "iloc")


def same_labels(arguments: Mapping[str, Any]) -> Any:
    """Return the index that all Series share, and refuse anything else of pandas.

    Examples
    --------
    >>> same_labels({"price": 100.0}) is None
    True
    """
    first, index = "", None
    for name, value in arguments.items():
        if not has_labels(value):
            continue
        if value.ndim != 1:
            raise ValueError(
                f"{name} must be numbers, an array or a Series, was a {type(value).__name__}; "
                "give one column, or its values with .to_numpy()"
            )
        if index is None:
            first, index = name, value.index
        elif not index.equals(value.index):
            raise ValueError(
                f"{name} must have the index of {first}, in the same order, had "
                f"{short_repr(list(value.index))} and not {short_repr(list(index))}; "
                f"align it with .reindex({first}.index)"
            )
    return index


def checked_numbers(**arguments: npt.ArrayLike) -> tuple[float, ...]:
    """Return the arguments as single numbers, in order, each checked by the rule for its name.

    Examples
    --------
    >>> checked_numbers(price=100, leverage=10)
    (100.0, 10.0)
    """
    values = checked(**arguments)
    for name, value in zip(arguments, values, strict=True):
        if value.ndim:
            raise ValueError(
                f"{name} must be a single number, had shape {value.shape}; call once for each"
            )
    return tuple(float(value) for value in values)


def checked_flag(name: str, value: object) -> bool:
    """Return a true-or-false option as a bool, and refuse anything else.

    Examples
    --------
    >>> checked_flag("inverse", True)
    True
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, was {short_repr(value)}; give one of the two")


def checked_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return an option that is one of a few words, and refuse anything else.

    Examples
    --------
    >>> checked_choice("direction", "up", ["up", "down"])
    'up'
    """
    for choice in choices:
        if isinstance(value, str) and value == choice:
            return choice
    words = " or ".join(repr(choice) for choice in choices)
    raise ValueError(f"{name} must be {words}, was {short_repr(value)}; give one of them")


def refuse_where(
    wrong: npt.ArrayLike, name: str, rule: str, value: FloatArray, advice: str
) -> None:
    """Raise an error about the first value for which `wrong` holds; for rules of two arguments.

    Examples
    --------
    >>> refuse_where(False, "leverage", "below its cap", np.float64(10), "lower it")
    """
    wrong = np.asarray(wrong)
    if wrong.any():
        index, received = _first_where(wrong, np.broadcast_to(value, wrong.shape))
        raise ValueError(f"{name} must be {rule}, was {shown(received)}{_at(index)}; {advice}")


def as_result(values: npt.ArrayLike) -> float | FloatArray:
    """Return a float for a single number and an array otherwise; minus zero becomes zero.

    Examples
    --------
    >>> as_result(np.float64(-0.0)), as_result(np.array([1.0, -0.0]))
    (0.0, array([1., 0.]))
    """
    if isinstance(values, float):
        return float(values) + 0.0
    array = np.asarray(values, dtype=np.float64) + 0.0
    return float(array) if array.ndim == 0 else array


def shown(value: float) -> str:
    """Write a number as a person would: 50 and not 50.0, with every digit that matters.

    Examples
    --------
    >>> shown(50.0), shown(0.1), shown(1_234_567.891)
    ('50', '0.1', '1234567.891')
    """
    return f"{value:.15g}"


def _check(name: str, value: npt.ArrayLike) -> FloatArray:
    rule = _RULES[name]
    values = _as_floats(name, value)
    good = rule.admits(values)
    if not (good.all() if good.ndim else good):
        index, received = _first_where(np.logical_not(good), values)
        raise ValueError(f"{name} must be {_complaint(rule, received, _at(index))}")
    if rule.known:
        warn_of_per_cent(name, values, rule.known)
    return values


def warn_of_per_cent(name: str, rates: npt.ArrayLike, known: Known = FEE) -> None:
    """Warn where a rate is above what any venue of the course has.

    Examples
    --------
    >>> warn_of_per_cent("fee_rate", 0.0005)
    """
    sizes = np.abs(rates)
    if np.greater(sizes, known.rate).any():
        rate = float(np.ravel(rates)[np.argmax(sizes)])
        warnings.warn(
            f"{name} is {shown(rate)}, which is {shown(rate * 100)} %: above "
            f"{shown(known.rate * 100)} %, the most that {known.words}; give {shown(rate / 100)} for "
            f"{shown(rate)} %",
            CourseWarning,
            stacklevel=_depth(),
        )


def _depth() -> int:
    """Count the calls back to the first one from outside the package."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("leverage."):
        depth, frame = depth + 1, frame.f_back
    return depth


def at_least_zero(values: FloatArray) -> FloatArray:
    """Replace what is negative by zero, and by no minus zero: 1 over that would be minus infinity.

    Examples
    --------
    >>> at_least_zero(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    found = np.maximum(values, 0.0)
    found += 0.0
    return found


def _complaint(rule: Rule, value: float, place: str) -> str:
    received = f"was {shown(value)}{place}"
    if rule.is_sign:
        return f"{rule.words}, {received}; {rule.advice}"
    if np.isnan(value):
        return f"a number, {received}; fill in or drop missing values first"
    if np.isinf(value):
        return f"finite, {received}; check the calculation it came from"
    return f"{rule.words}, {received}; {rule.advice_on(value)}"


def _check_shapes(names: Sequence[str], values: Sequence[FloatArray]) -> None:
    for (name, value), (other_name, other) in combinations(zip(names, values, strict=True), 2):
        try:
            np.broadcast_shapes(value.shape, other.shape)
        except ValueError:
            raise ValueError(
                f"{name} and {other_name} must have matching shapes, were {value.shape} and "
                f"{other.shape}; give arrays of equal length, or single numbers"
            ) from None


def _as_floats(name: str, value: object) -> FloatArray:
    if isinstance(value, (float, int)):
        # np.float64 has the operators of an array and a tenth of the cost.
        return cast(FloatArray, np.float64(_as_float(name, value)))
    if hasattr(value, "__array__") and not isinstance(value, str | bytes):
        if type(value) is not np.ndarray and np.ma.is_masked(value):
            raise ValueError(f"{name} must be complete, has masked values; fill in or drop them")
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            floats = array.astype(np.float64, copy=False)
            if array.dtype.itemsize < 8 or array.dtype.kind == "f":
                return floats
            if not (abs(floats) >= _LARGEST_EXACT).any():
                return floats
    # One by one, because NumPy itself would turn True into 1.0 and "10" into 10.0.
    objects = np.asarray(value, dtype=object)
    floats = np.empty(objects.shape)
    for index, element in np.ndenumerate(objects):
        floats[index] = _as_float(name, element, index)
    return floats


def _as_float(name: str, value: object, index: tuple[int, ...] = ()) -> float:
    if hasattr(value, "__float__") and not isinstance(value, _NO_NUMBERS):
        try:
            number = float(value)
            # NumPy's own whole numbers become floats before they are compared.
            value = value.item() if isinstance(value, np.generic) else value
            if not abs(number) >= _LARGEST_EXACT or isinstance(value, float) or number == value:
                return number
            raise ValueError(
                f"{name} must be a number that a float can hold, was {value}{_at(index)}, which "
                f"would become {number:.0f}; round it yourself"
            )
        except OverflowError:
            raise ValueError(
                f"{name} must be finite, was too large for a float{_at(index)}; "
                "check the calculation it came from"
            ) from None
        except TypeError:
            pass
    received = short_repr(value.item() if isinstance(value, np.generic) else value)
    rule = _RULES["side"].words if name == "side" else "a number"
    advice = _RULES["side"].advice if name == "side" else _advice_on_type(value)
    raise ValueError(f"{name} must be {rule}, was {received}{_at(index)}; {advice}")


def _advice_on_type(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "give the number itself, not True or False"
    if isinstance(value, str | bytes):
        return "turn text into a number first"
    if isinstance(value, Sequence | np.ndarray):
        return "make all rows of the array equally long"
    return "give an int, a float or an array of them"


def _first_where(wrong: BoolArray, values: FloatArray) -> tuple[tuple[int, ...], float]:
    index = tuple(int(axis) for axis in np.argwhere(wrong)[0])
    return index, float(values[index])


def _at(index: tuple[int, ...]) -> str:
    if not index:
        return ""
    return f" at index {index[0] if len(index) == 1 else index}"
