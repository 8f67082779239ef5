"""What venues do differently with orders and margins, by their facts."""

from __future__ import annotations

import warnings

import pytest

from leverage import CourseWarning, TierTable
from leverage.paper import PaperExchange, Rules, exchange_errors
from leverage.venues import UnknownFactError, load_venue, venue_names

BTC = "BTC/USDT:USDT"
TRIMMED = {"reduce_only_excess": "trimmed", "reduce_only_rest": "trimmed"}
REDUCE = {"reduceOnly": True}


def test_a_reduce_only_order_is_trimmed_where_the_venue_trims_it(ticks, rules):
    exchange = ticks(100, rules=rules(**TRIMMED))
    exchange.create_order(BTC, "market", "buy", 1)
    order = exchange.create_order(BTC, "limit", "sell", 3, 120, REDUCE)
    assert (order["amount"], order["remaining"]) == (1, 1)
    done = exchange.create_order(BTC, "market", "sell", 5, None, REDUCE)
    assert (done["status"], done["amount"], done["filled"]) == ("closed", 1, 1)
    with pytest.raises(exchange_errors.InvalidOrder, match="needs a long position"):
        exchange.create_order(BTC, "market", "sell", 5, None, REDUCE)


@pytest.mark.parametrize(
    ("rest", "status", "amount"), [("trimmed", "closed", 2), ("cancelled", "canceled", 3)]
)
def test_a_stop_that_closed_all_that_was_left_ends_as_its_venue_says(ticks, rules, rest, status, amount):  # fmt: skip
    exchange = ticks(100, 90, rules=rules(reduce_only_rest=rest))
    exchange.create_order(BTC, "market", "buy", 3)
    stop = exchange.create_order(BTC, "market", "sell", 3, None, {**REDUCE, "stopLossPrice": 95})
    exchange.create_order(BTC, "market", "sell", 1)
    exchange.step()
    order = exchange.fetch_order(stop["id"])
    assert (order["status"], order["amount"], order["filled"]) == (status, amount, 2)
    assert exchange.fetch_positions() == []


def test_resting_reduce_only_orders_count_together_where_the_venue_counts_them(ticks, rules):
    exchange = ticks(100, rules=rules(reduce_only_together=True, **TRIMMED))
    exchange.create_order(BTC, "market", "buy", 3)
    first = exchange.create_order(BTC, "limit", "sell", 2, 110, REDUCE)
    with pytest.raises(exchange_errors.OperationRejected, match="2 and 2"):
        exchange.create_order(BTC, "limit", "sell", 2, 120, REDUCE)
    # A stop does not rest, and an edit replaces its own order.
    exchange.create_order(BTC, "market", "sell", 3, None, {**REDUCE, "stopLossPrice": 90})
    assert exchange.edit_order(first["id"], BTC, "limit", "sell", 3, 115)["amount"] == 3
    free = ticks(100, rules=rules())
    free.create_order(BTC, "market", "buy", 3)
    for price in (110, 120):
        free.create_order(BTC, "limit", "sell", 2, price, REDUCE)


def isolated(ticks, rules, **changes):
    exchange = ticks(100, 95, rules=rules(**changes), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 10)
    return exchange


def test_the_margin_of_an_open_isolated_position_follows_its_leverage(ticks, rules):
    exchange = isolated(ticks, rules)
    exchange.add_margin(BTC, 7)
    exchange.set_leverage(20, BTC)
    position = exchange.fetch_position(BTC)
    assert (position["leverage"], position["positionMargin"]) == (20, 57)
    assert exchange.snapshot()["free"] == 943
    exchange.set_leverage(5, BTC)
    assert exchange.fetch_position(BTC)["positionMargin"] == 207
    assert exchange.fetch_position(BTC)["info"]["bankruptcyPrice"] == pytest.approx(100 - 20.7)
    exchange.step()
    # 50 lost, 5 % of it would be left of the margin at 100x: it would be liquidated at once.
    before = exchange.digest()
    with pytest.raises(exchange_errors.InsufficientFunds, match="at 100x"):
        exchange.set_leverage(100, BTC)
    assert exchange.digest() == before
    exchange.transfer("USDT", 790, "swap", "spot")
    with pytest.raises(exchange_errors.InsufficientFunds, match="more margin"):
        exchange.set_leverage(1, BTC)


@pytest.mark.parametrize(("rule", "refused"), [("raise", {5}), ("none", {5, 20}), ("any", set())])
def test_leverage_of_an_isolated_position_changes_as_the_venue_allows(ticks, rules, rule, refused):
    for leverage in (5, 20):
        exchange = isolated(ticks, rules, isolated_leverage_change=rule)
        exchange.set_leverage(10, BTC)
        if leverage in refused:
            with pytest.raises(exchange_errors.OperationRejected, match="isolated"):
                exchange.set_leverage(leverage, BTC)
            assert exchange.fetch_position(BTC)["positionMargin"] == 100
        else:
            exchange.set_leverage(leverage, BTC)
            assert exchange.fetch_position(BTC)["positionMargin"] == 1_000 / leverage


def test_binance_and_bybit_differ_as_their_facts_say():
    bars = [[0, *[100] * 4, 1], [3_600_000, *[100] * 4, 1]]
    binance, bybit = (
        PaperExchange(bars, venue=v, balance=1_000, **more)
        for v, more in (
            ("binance", {}),
            ("bybit", {"overrides": {"tiers": TierTable.flat(0.005, max_leverage=100)}}),
        )
    )
    for exchange in (binance, bybit):
        exchange.create_order(BTC, "market", "buy", 1)
    assert binance.create_order(BTC, "market", "sell", 2, None, REDUCE)["filled"] == 1
    with pytest.raises(exchange_errors.InvalidOrder, match="at most the long position of 1"):
        bybit.create_order(BTC, "market", "sell", 2, None, REDUCE)
    assert binance.rules.isolated_leverage_change == "raise"
    assert binance.rules.reduce_only_together


def test_what_is_not_known_of_a_venue_is_among_the_assumptions():
    exchange = PaperExchange([[0, *[100] * 4, 1]], venue="mexc", balance=1)
    said = [line for line in exchange.assumptions if "reduce_only_excess" in line]
    assert said == [
        "futures.reduce_only_excess is unknown: one larger than its position is refused"
    ]


# ---- overrides


def test_readme_names_the_venues_that_work_without_overrides():
    bars = [[0, *[100] * 4, 1]]
    works = []
    for name in venue_names():
        try:
            PaperExchange(bars, venue=name, balance=1)
        except UnknownFactError:
            continue
        works.append(load_venue(name).name)
    assert works == ["Binance", "Bitget", "Bybit", "Kraken", "MEXC"]


PRODUCTS = [(name, p.id) for name in venue_names() for p in load_venue(name).products]
VALUES = {
    "liquidation_rule": "maintenance at mark",
    "tiers": TierTable.flat(0.01),
    "taker_fee_rate": 0.0005,
    "maker_fee_rate": 0.0002,
    "max_leverage": 50,
    "contract_size": 1,
    "interest_rate": 0.0001,
    "close_out_level": 0.5,
}


@pytest.mark.parametrize(("venue", "product"), PRODUCTS)
def test_the_error_names_all_that_must_be_given_and_that_is_enough(venue, product):
    bars = [[0, *[100] * 4, 1]]
    try:
        exchange = PaperExchange(bars, venue=venue, product=product, balance=1_000)
    except UnknownFactError as error:
        named = [name for name in VALUES if f'"{name}": ' in str(error)]
        assert named
        overrides = {name: VALUES[name] for name in named}
        exchange = PaperExchange(
            bars, venue=venue, product=product, balance=1_000, overrides=overrides
        )
    assert exchange.create_order(exchange.symbols[0], "market", "buy", 1)["status"] == "closed"


@pytest.mark.parametrize(
    ("venue", "overrides", "unused"),
    [
        ("binance", {"close_out_level": 0.5}, "close_out_level"),
        ("binance", {"maintenance_limit": 0.5}, "maintenance_limit"),
        ("binance", {"interest_rate": 0.1}, "interest_rate"),
        ("binance", {"rollover_fee_rate_long": 0.1}, "rollover_fee_rate_long"),
    ],
)
def test_an_override_that_changes_nothing_is_refused(venue, overrides, unused):
    with pytest.raises(exchange_errors.BadRequest, match=unused):
        PaperExchange([[0, *[100] * 4, 1]], venue=venue, balance=1, overrides=overrides)


def test_a_fee_in_per_cent_is_warned_of():
    with pytest.warns(CourseWarning, match="give 0.0005 for 0.05 %"):
        Rules(tiers=TierTable.flat(0.005), taker_fee_rate=0.05)
    with pytest.warns(CourseWarning, match="maker_fee_rate"):
        PaperExchange([[0, *[100] * 4, 1]], balance=1, overrides={"maker_fee_rate": 0.02})


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"funding": 0.01}, "funding"),
        ({"funding": [(28_800_000, -0.02)]}, "funding"),
        ({"spread": 0.05}, "spread"),
        ({"rules": {"liquidation_fee_rate": 0.5}}, "liquidation_fee_rate"),
        ({"rules": {"tiers": TierTable.flat(0.1)}}, None),
    ],
)
def test_other_slips_of_per_cent_are_warned_of(options, name, rules):
    def build():
        given = {**options, "rules": rules(**options.get("rules", {}))}
        return PaperExchange(
            [[n * 14_400_000, *[100] * 4, 1] for n in range(4)], balance=1, **given
        )

    if name is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            build()
        return
    with pytest.warns(CourseWarning, match=f"^{name} is "):
        build()


def test_a_largest_leverage_that_is_given_caps_the_tiers():
    exchange = PaperExchange(
        [[0, *[100] * 4, 1]], venue="binance", balance=1, overrides={"max_leverage": 20}
    )
    assert exchange.market(BTC)["limits"]["leverage"]["max"] == 20
    with pytest.raises(exchange_errors.BadRequest, match="1 to 20"):
        exchange.set_leverage(21, BTC)


# ---- the larger side

KRAKEN = {"margin_netting": True, "contract": "linear", "settlement": "USD"}
PERP, FIXED = "BTC/USD:USD", "BTC/USD:USD-261225"


def spread_trade(rules, far, netting=True, balance=4_000):
    """Long 1 in the perpetual and short 0.6 in a fixed maturity, at 50 000 and 20x."""
    hours = [[n * 3_600_000, *row, 1] for n, row in enumerate([[50_000] * 4, far])]
    given = rules(
        tiers=TierTable.flat(0.02, max_leverage=50), **KRAKEN | {"margin_netting": netting}
    )
    exchange = PaperExchange({PERP: hours, FIXED: hours}, rules=given, balance=balance)
    exchange.step(1, "bar")
    exchange.set_leverage(20, PERP)
    exchange.set_leverage(20, FIXED)
    exchange.create_order(PERP, "market", "buy", 1)
    exchange.create_order(FIXED, "market", "sell", 0.6)
    return exchange


def test_of_two_sides_in_one_coin_the_larger_one_requires_margin(rules):
    exchange = spread_trade(rules, [50_000] * 4)
    assert exchange.requirement() == 1_000
    assert exchange.snapshot()["used"] == 2_500
    assert exchange.snapshot()["free"] == 1_500
    apart = spread_trade(rules, [50_000] * 4, netting=False)
    assert apart.requirement() == pytest.approx(1_600)
    assert apart.snapshot()["free"] == pytest.approx(0)


def test_a_netted_pair_is_closed_where_the_larger_side_is_not_kept(rules):
    # 4 000 + 0.4 (P - 50 000) = 0.02 P, where both fall alike
    price = 16_000 / 0.38
    exchange = spread_trade(rules, [50_000, 50_000, 40_000, 40_000])
    exchange.run_until()
    first = exchange.fetch_my_liquidations()[0]
    assert first["price"] == pytest.approx(price, rel=1e-12)
    assert first["symbol"] == PERP


def test_the_price_shown_for_a_netted_position_is_where_it_ends_alone(rules):
    exchange = spread_trade(rules, [50_000] * 4)
    # 4 000 + (P - 50 000) = max(0.02 P, 0.02 * 0.6 * 50 000): the short side is the larger below.
    shown = exchange.fetch_position(PERP)["liquidationPrice"]
    assert shown == pytest.approx(max(46_000 / 0.98, 46_600), rel=1e-12)


def test_a_hedge_in_one_symbol_is_netted_too(rules):
    given = rules(tiers=TierTable.flat(0.02, max_leverage=50), **KRAKEN)
    exchange = PaperExchange([[0, *[50_000] * 4, 1]], rules=given, balance=4_000)
    exchange.set_position_mode(True)
    exchange.create_order(PERP, "market", "buy", 1)
    exchange.create_order(PERP, "market", "sell", 1)
    assert exchange.requirement() == 1_000


def test_a_fixed_maturity_is_a_market_with_an_end(rules):
    exchange = spread_trade(rules, [50_000] * 4)
    market = exchange.market(FIXED)
    assert (market["type"], market["future"], market["swap"]) == ("future", True, False)
    assert market["expiryDatetime"] == "2026-12-25T08:00:00.000Z"
    with pytest.raises(exchange_errors.BadRequest, match="yymmdd"):
        PaperExchange({"BTC/USD:USD-never": [[0, *[1] * 4, 1]]}, rules=exchange.rules, balance=1)


def test_kraken_counts_the_larger_side_by_its_facts():
    exchange = PaperExchange([[0, *[100] * 4, 1]], venue="kraken", balance=1)
    assert exchange.rules.margin_netting
