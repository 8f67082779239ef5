"""Laws that the arithmetic of positions keeps for every position, not for chosen examples."""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leverage as lv
from leverage import LONG, SHORT

EXACT = 1e-9
EXAMPLES = settings.default.max_examples * 60 // 100

sides = st.sampled_from([LONG, SHORT])
kinds = st.booleans()
prices = st.floats(-6, 6).map(lambda power: 10**power)
quantities = st.floats(-4, 5).map(lambda power: 10**power)
leverages = st.floats(1.01, 500)
moves = st.floats(-0.9, 9)
# Fees above 0.4 % are warned of, and computed.
pytestmark = pytest.mark.filterwarnings("ignore::leverage.CourseWarning")
fee_rates = st.floats(0, 0.02)
maintenance_rates = st.floats(0, 0.2)
funding_rates = st.floats(-0.03, 0.03)


Test = Callable[..., None]


def for_all(*args: Any, **kwargs: Any) -> Callable[[Test], Test]:
    """Do as `hypothesis.given`, without the time limit that a busy machine would break."""
    given_these: Callable[[Test], Test] = given(*args, **kwargs)
    unhurried = settings(deadline=None, max_examples=EXAMPLES)
    return lambda test: unhurried(given_these(test))


class Position(NamedTuple):
    """A position as the functions take it, with the requirement that it must keep."""

    side: int
    entry_price: float
    quantity: float
    margin: float
    contract_size: float
    inverse: bool
    rate: float
    fee_rate: float

    @property
    def contract(self) -> dict[str, Any]:
        return {"contract_size": self.contract_size, "inverse": self.inverse}

    def notional(self, price: Any) -> Any:
        return lv.notional(price, self.quantity, **self.contract)

    def equity(self, price: Any) -> Any:
        return lv.equity(
            self.side, self.entry_price, price, self.quantity, self.margin, **self.contract
        )

    def liquidation_price(self, **changed: Any) -> Any:
        position = self._replace(**changed)
        return lv.liquidation_price(
            position.side,
            position.entry_price,
            position.quantity,
            position.margin,
            position.rate,
            closing_fee_rate=position.fee_rate,
            **position.contract,
        )


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Draw a position whose margin is its initial margin at some leverage."""
    entry, quantity, size = draw(prices), draw(quantities), draw(st.sampled_from([1.0, 0.001, 100]))
    inverse = draw(kinds)
    value = lv.notional(entry, quantity, contract_size=size, inverse=inverse)
    margin = float(lv.initial_margin(value, draw(leverages)))
    rate, fee_rate = draw(maintenance_rates), draw(fee_rates)
    return Position(draw(sides), entry, quantity, margin, size, inverse, rate, fee_rate)


def can_be_liquidated(price: Any) -> bool:
    return bool(0 < price < math.inf)


def not_further(side: int, nearer: Any, further: Any) -> bool:
    """Tell whether a falling (long) or rising (short) price meets `nearer` first, or both."""
    return bool(side * (nearer - further) >= -EXACT * further or nearer == further)


# Mirrors


@for_all(prices, prices, quantities, kinds)
def test_long_and_short_pnl_are_mirror_images(
    entry: float, exit_: float, quantity: float, inverse: bool
) -> None:
    long, short = np.asarray(lv.pnl([LONG, SHORT], entry, exit_, quantity, inverse=inverse))
    assert long == -short


@for_all(prices, moves, leverages, kinds)
def test_long_and_short_roe_are_mirror_images(
    entry: float, move: float, leverage: float, inverse: bool
) -> None:
    exit_ = entry * (1 + move)
    assert lv.roe(LONG, entry, exit_, leverage, inverse=inverse) == -lv.roe(
        SHORT, entry, exit_, leverage, inverse=inverse
    )


@for_all(prices, leverages)
def test_linear_bankruptcy_prices_of_long_and_short_lie_at_equal_distance(
    entry: float, leverage: float
) -> None:
    long = lv.bankruptcy_price(LONG, entry, 1, entry / leverage)
    short = lv.bankruptcy_price(SHORT, entry, 1, entry / leverage)
    assert (long + short) / 2 == pytest.approx(entry, rel=EXACT)


@for_all(prices, quantities, funding_rates, kinds)
def test_funding_paid_by_longs_equals_funding_received_by_shorts(
    mark: float, quantity: float, rate: float, inverse: bool
) -> None:
    flows = lv.funding_payment([LONG, SHORT], mark, quantity, rate, inverse=inverse)
    assert np.sum(flows) == 0


@for_all(prices, st.lists(st.tuples(sides, quantities), min_size=1, max_size=8), funding_rates)
def test_funding_adds_up_to_the_payment_on_the_net_position(
    mark: float, book: list[tuple[int, float]], rate: float
) -> None:
    flows = [lv.funding_payment(side, mark, quantity, rate) for side, quantity in book]
    net = sum(side * quantity for side, quantity in book)
    gross = sum(quantity for _, quantity in book)
    assert sum(flows) == pytest.approx(-net * mark * rate, abs=EXACT * gross * mark)


# Liquidation


@for_all(positions())
def test_equity_equals_the_requirement_at_the_liquidation_price(position: Position) -> None:
    price = position.liquidation_price()
    if not can_be_liquidated(price):
        return
    value = position.notional(price)
    requirement = lv.maintenance_margin(value, position.rate) + lv.trading_fee(
        value, position.fee_rate
    )
    scale = value + position.notional(position.entry_price)
    assert position.equity(price) == pytest.approx(requirement, abs=EXACT * scale)


@for_all(positions(), st.floats(0, 1))
def test_equity_equals_the_requirement_less_the_maintenance_amount(
    position: Position, share: float
) -> None:
    value = position.notional(position.entry_price)
    amount = share * position.rate * value
    price = lv.liquidation_price(
        *position[:4], position.rate, maintenance_amount=amount, **position.contract
    )
    if not can_be_liquidated(price):
        return
    there = position.notional(price)
    scale = there + value
    assert position.equity(price) + amount == pytest.approx(
        position.rate * there, abs=EXACT * scale
    )


@for_all(positions())
def test_nothing_is_left_at_the_bankruptcy_price(position: Position) -> None:
    price = lv.bankruptcy_price(*position[:4], **position.contract)
    if can_be_liquidated(price):
        scale = position.notional(price) + position.notional(position.entry_price)
        assert position.equity(price) == pytest.approx(0, abs=EXACT * scale)


@for_all(positions(), st.floats(1e-6, 0.99))
def test_position_is_safe_on_one_side_of_its_liquidation_price_only(
    position: Position, distance: float
) -> None:
    price = position.liquidation_price()
    if not can_be_liquidated(price):
        return
    rate = position.rate + position.fee_rate
    better = price * (1 + distance) if position.side == LONG else price * (1 - distance)
    worse = price * (1 - distance) if position.side == LONG else price * (1 + distance)
    assert position.equity(better) > rate * position.notional(better)
    assert position.equity(worse) < rate * position.notional(worse)


@for_all(positions(), st.floats(0.01, 0.999))
def test_position_that_cannot_be_liquidated_keeps_its_requirement_everywhere(
    position: Position, shrink: float
) -> None:
    backed = position._replace(margin=position.notional(position.entry_price) * (1 + shrink))
    if (backed.side, backed.inverse) not in {(LONG, False), (SHORT, True)}:
        return
    assert backed.liquidation_price() == (0 if backed.side == LONG else math.inf)
    rate = backed.rate + backed.fee_rate
    for price in backed.entry_price * np.array([1e-6, 0.5, 1.0, 2.0, 1e6]):
        assert backed.equity(price) >= rate * backed.notional(price) * (1 - EXACT)


@for_all(positions())
def test_liquidation_never_comes_after_bankruptcy(position: Position) -> None:
    bankrupt = lv.bankruptcy_price(*position[:4], **position.contract)
    assert not_further(position.side, position.liquidation_price(), bankrupt)


@for_all(positions(), st.floats(1, 10))
def test_more_leverage_never_moves_liquidation_away(position: Position, factor: float) -> None:
    with_less_margin = position.liquidation_price(margin=position.margin / factor)
    assert not_further(position.side, with_less_margin, position.liquidation_price())


@for_all(positions(), maintenance_rates)
def test_higher_requirement_never_moves_liquidation_away(position: Position, extra: float) -> None:
    stricter = position.liquidation_price(rate=position.rate + extra)
    assert not_further(position.side, stricter, position.liquidation_price())


@for_all(sides, prices, leverages, maintenance_rates, fee_rates, kinds)
def test_liquidation_move_leads_from_entry_to_the_price_of_the_initial_margin(
    side: int, entry: float, leverage: float, rate: float, fee_rate: float, inverse: bool
) -> None:
    more = {"closing_fee_rate": fee_rate, "inverse": inverse}
    margin = lv.initial_margin(lv.notional(entry, 1, inverse=inverse), leverage)
    price = lv.liquidation_price(side, entry, 1, margin, rate, **more)
    there = 1 + np.float64(lv.liquidation_move(side, leverage, rate, **more))
    exact = np.float64(price / entry)
    # Near an infinite price the reciprocal is what can be told apart.
    with np.errstate(divide="ignore"):
        assert abs(there - exact) <= EXACT if exact < 2 else abs(1 / there - 1 / exact) <= EXACT


# Monotonicity of profit and cost


@for_all(sides, prices, prices, st.floats(1.001, 10), quantities, kinds)
def test_a_higher_price_is_better_for_longs_and_worse_for_shorts(
    side: int, entry: float, exit_: float, factor: float, quantity: float, inverse: bool
) -> None:
    lower, higher = np.asarray(
        lv.pnl(side, entry, [exit_, exit_ * factor], quantity, inverse=inverse)
    )
    assert side * (higher - lower) >= 0


@for_all(sides, prices, moves, leverages, leverages, kinds)
def test_leverage_multiplies_the_return_and_not_the_profit(
    side: int, entry: float, move: float, less: float, more: float, inverse: bool
) -> None:
    exit_ = entry * (1 + move)
    first, second = np.asarray(lv.roe(side, entry, exit_, [less, more], inverse=inverse))
    assert first / less == pytest.approx(second / more, rel=EXACT)


@for_all(leverages, fee_rates, fee_rates)
def test_higher_fees_never_cost_less(leverage: float, fee: float, extra: float) -> None:
    assert lv.fee_share_of_margin(leverage, fee + extra) >= lv.fee_share_of_margin(leverage, fee)
    assert lv.break_even_price(LONG, 1, fee + extra) >= lv.break_even_price(LONG, 1, fee)
    assert lv.break_even_price(SHORT, 1, fee + extra) <= lv.break_even_price(SHORT, 1, fee)


@for_all(st.floats(0, 0.999))
def test_recovery_return_makes_good_the_loss(loss: float) -> None:
    assert (1 - loss) * (1 + lv.recovery_return(loss)) == pytest.approx(1, rel=EXACT)
    assert lv.recovery_return(loss) >= loss


# Scaling and consistency


@for_all(positions(), st.floats(0.01, 100))
def test_a_position_of_another_size_with_margin_to_match_has_the_same_prices(
    position: Position, factor: float
) -> None:
    scaled = position.liquidation_price(
        quantity=position.quantity * factor, margin=position.margin * factor
    )
    assert scaled == pytest.approx(
        position.liquidation_price(), rel=EXACT, abs=EXACT * position.entry_price
    ) or not can_be_liquidated(scaled)


@for_all(positions(), st.floats(0.01, 100))
def test_prices_in_another_currency_unit_scale_the_linear_liquidation_price(
    position: Position, factor: float
) -> None:
    linear = position._replace(inverse=False)
    scaled = linear.liquidation_price(
        entry_price=linear.entry_price * factor, margin=linear.margin * factor
    )
    assert scaled == pytest.approx(
        linear.liquidation_price() * factor, rel=EXACT, abs=EXACT * linear.entry_price * factor
    )


@for_all(positions())
def test_contract_size_and_quantity_only_count_as_their_product(position: Position) -> None:
    one = position._replace(quantity=position.quantity * position.contract_size, contract_size=1.0)
    assert one.liquidation_price() == pytest.approx(position.liquidation_price(), rel=EXACT)
    assert one.notional(position.entry_price) == pytest.approx(
        position.notional(position.entry_price), rel=EXACT
    )


@for_all(prices, prices, quantities, sides)
def test_inverse_profit_valued_at_the_exit_price_is_the_linear_profit_on_the_same_face(
    entry: float, exit_: float, face: float, side: int
) -> None:
    coins = lv.pnl(side, entry, exit_, face, inverse=True)
    linear = lv.pnl(side, entry, exit_, face / entry)
    assert coins * exit_ == pytest.approx(linear, rel=EXACT, abs=EXACT * face)


@for_all(positions())
def test_an_inverse_position_is_a_linear_one_on_the_other_side_in_one_over_price(
    position: Position,
) -> None:
    inverse = position._replace(inverse=True)
    mirrored = lv.liquidation_price(
        -inverse.side,
        1 / inverse.entry_price,
        inverse.quantity,
        inverse.margin,
        inverse.rate,
        closing_fee_rate=inverse.fee_rate,
        contract_size=inverse.contract_size,
    )
    price = inverse.liquidation_price()
    expected = math.inf if mirrored == 0 else 1 / mirrored
    assert price == pytest.approx(expected, rel=EXACT)


@for_all(st.lists(st.tuples(prices, quantities), min_size=1, max_size=6), prices, sides, kinds)
def test_the_average_entry_price_gives_the_profit_of_all_fills_together(
    fills: list[tuple[float, float]], exit_: float, side: int, inverse: bool
) -> None:
    entries, sizes = (np.array(values) for values in zip(*fills, strict=True))
    average = lv.average_entry_price(entries, sizes, inverse=inverse)
    together = lv.pnl(side, average, exit_, sizes.sum(), inverse=inverse)
    apart = np.sum(lv.pnl(side, entries, exit_, sizes, inverse=inverse))
    scale = np.sum(lv.notional(entries, sizes, inverse=inverse)) + lv.notional(
        exit_, sizes.sum(), inverse=inverse
    )
    assert together == pytest.approx(apart, abs=EXACT * float(scale))
    assert entries.min() * (1 - EXACT) <= average <= entries.max() * (1 + EXACT)


@for_all(sides, prices, st.floats(-0.01, 0.02), kinds)
def test_profit_at_the_break_even_price_pays_both_fees(
    side: int, entry: float, fee: float, inverse: bool
) -> None:
    price = lv.break_even_price(side, entry, fee, inverse=inverse)
    cost = lv.round_trip_cost(entry, price, 1, fee, inverse=inverse)
    scale = float(lv.notional(entry, 1, inverse=inverse))
    assert lv.pnl(side, entry, price, 1, inverse=inverse) == pytest.approx(cost, abs=EXACT * scale)


@for_all(sides, prices, leverages, st.floats(-0.95, 0.95), kinds)
def test_target_price_inverts_roe(
    side: int, entry: float, leverage: float, share: float, inverse: bool
) -> None:
    wanted = share * leverage
    price = lv.target_price(side, entry, leverage, wanted, inverse=inverse)
    assert lv.roe(side, entry, price, leverage, inverse=inverse) == pytest.approx(
        wanted, rel=1e-7, abs=EXACT * leverage
    )


@for_all(st.just(0.0) | st.floats(1e-300, 1e9), leverages)  # smaller floats have fewer digits
def test_own_and_borrowed_money_add_up_to_the_position(margin: float, leverage: float) -> None:
    value = lv.position_value(margin, leverage)
    assert margin + lv.borrowed_amount(margin, leverage) == pytest.approx(value, rel=EXACT)
    assert lv.initial_margin(value, leverage) == pytest.approx(margin, rel=EXACT)
    assert margin == 0 or lv.effective_leverage(value, margin) == pytest.approx(leverage)


@for_all(positions())
def test_margin_ratio_is_one_at_liquidation(position: Position) -> None:
    if position.rate < 1e-4:
        return
    price = lv.liquidation_price(*position[:4], position.rate, **position.contract)
    if not can_be_liquidated(price):
        return
    requirement = lv.maintenance_margin(position.notional(price), position.rate)
    assert lv.margin_ratio(requirement, position.equity(price)) == pytest.approx(1, rel=1e-4)


# Shapes

ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "side": sides,
    "price": prices,
    "prices": prices,
    "entry_price": prices,
    "exit_price": prices,
    "mark_price": prices,
    "liquidation_price": prices,
    "quantity": quantities,
    "quantities": quantities,
    "contract_size": quantities,
    "notional": quantities,
    "margin": quantities,
    "leverage": leverages,
    "equity": st.floats(-1e6, 1e6),
    "maintenance_margin": quantities,
    "maintenance_margin_rate": maintenance_rates,
    "maintenance_amount": st.just(0.0),
    "closing_fee_rate": fee_rates,
    "fee_rate": fee_rates,
    "exit_fee_rate": fee_rates,
    "funding_rate": funding_rates,
    "target_roe": st.floats(-0.9, 0.9),
    "loss": st.floats(0, 0.99),
    "tick_size": quantities,
    "lot_size": quantities,
    "other_pnl": st.floats(-1e6, 1e6),
    "other_requirement": quantities,
    "requirement_price": prices,
    "long_entry_price": prices,
    "long_quantity": quantities,
    "short_entry_price": prices,
    "short_quantity": quantities,
    "short_maintenance_margin_rate": maintenance_rates,
    "balance": st.floats(-1e6, 1e6),
    "used_margin": quantities,
    "level": st.floats(0, 1),
    # A cost above the notional is refused.
    "realised_pnl": st.floats(0, 1e6),
    "start_price": prices,
    "end_price": prices,
    "funding": st.floats(-1e6, 1e6),
    "premium": funding_rates,
    "interest_rate": funding_rates,
    "clamp_rate": fee_rates,
    "cap_rate": fee_rates,
    "borrowed": quantities,
    "hours": st.floats(0, 1e4),
    "interval_hours": st.floats(0.1, 24),
    "position_cost": quantities,
    "rollover_rate": fee_rates,
    "opening_rate": fee_rates,
    "reward_to_risk": st.floats(0.01, 100),
    "win_rate": st.floats(0, 1),
    "average_win": quantities,
    "average_loss": quantities,
    "profits": st.floats(-1e6, 1e6),
    "risks": quantities,
    "expected_return": st.floats(-1, 1),
    "volatility": st.floats(0.01, 2),
    "streak": st.integers(1, 12),
    "trades": st.integers(1, 40),
    "tiers": st.just(lv.TierTable.marginal([0, 1, 100, 1e4], [0.004, 0.01, 0.1], [500, 500, 500])),
}
FLAGS = {"inverse", "floating_margin"}
# Functions that join several values, or whose arguments must fit one another.
JOINING = {lv.average_entry_price, lv.collateral_value}
FITTING = {lv.tiered_hedge_liquidation_prices}


def arguments_of(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in FLAGS]


FUNCTIONS = [
    function
    for name in lv.__all__
    if inspect.isfunction(function := getattr(lv, name))
    and set(arguments_of(function)) <= set(ARGUMENTS)
    and function not in FITTING
]
ELEMENTWISE = [function for function in FUNCTIONS if function not in JOINING]
NO_TIERS = {lv.initial_margin, lv.max_quantity}


def stacked(name: str, rows: list[dict[str, Any]]) -> Any:
    values = [row[name] for row in rows]
    return values[0] if name in {"inverse", "tiers"} else np.array(values)


def fitted(function: Callable[..., Any], row: dict[str, Any]) -> dict[str, Any]:
    """Let the other positions win at most what this one needs, where a margin is asked for."""
    if function is not lv.margin_for_liquidation_price:
        return row
    contract = {name: row[name] for name in ("contract_size", "inverse")}
    price, quantity = row["liquidation_price"], row["quantity"]
    value = lv.notional(price, quantity, **contract)
    profit = lv.pnl(row["side"], row["entry_price"], price, quantity, **contract)
    needed = row["tiers"].maintenance_margin(value) + row["closing_fee_rate"] * value - profit
    return row | {"other_pnl": min(row["other_pnl"], needed + row["other_requirement"])}


def draw_arguments(
    data: st.DataObject, function: Callable[..., Any], length: int
) -> list[dict[str, Any]]:
    """Draw `length` sets of arguments for a function; `inverse` is the same in all of them."""
    names = [n for n in arguments_of(function) if not (n == "tiers" and function in NO_TIERS)]
    inverse = data.draw(kinds, label="inverse")
    flag = {"inverse": inverse} if "inverse" in inspect.signature(function).parameters else {}
    return [
        fitted(function, {name: data.draw(ARGUMENTS[name], label=name) for name in names} | flag)
        for _ in range(length)
    ]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@for_all(data=st.data())
def test_scalars_in_give_a_float_out_that_is_never_nan(
    function: Callable[..., Any], data: st.DataObject
) -> None:
    (arguments,) = draw_arguments(data, function, 1)
    result = function(**arguments)
    assert type(result) is float
    assert not math.isnan(result)


@pytest.mark.parametrize("function", ELEMENTWISE, ids=lambda function: function.__name__)
@for_all(data=st.data(), length=st.integers(1, 4))
def test_broadcasting_equals_a_loop(
    function: Callable[..., Any], data: st.DataObject, length: int
) -> None:
    rows = draw_arguments(data, function, length)
    columns = {name: stacked(name, rows) for name in rows[0]}
    result = function(**columns)
    assert isinstance(result, np.ndarray)
    assert result.tolist() == pytest.approx([function(**row) for row in rows], rel=1e-12)


@pytest.mark.parametrize("function", ELEMENTWISE, ids=lambda function: function.__name__)
@for_all(data=st.data())
def test_a_column_and_a_row_give_a_table(function: Callable[..., Any], data: st.DataObject) -> None:
    first, *_ = names = arguments_of(function)
    (arguments,) = draw_arguments(data, function, 1)
    column = np.array(arguments[first]).repeat(3)[:, np.newaxis]
    row = {
        name: np.array(value).repeat(2)
        for name, value in arguments.items()
        if name in names[1:] and name != "tiers"
    }
    result = function(**arguments | {first: column} | row)
    assert np.shape(result) == ((3, 2) if row else (3, 1))
