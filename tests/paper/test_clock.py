"""Time: ticks of bars, outages, jumps that lose nothing, feeds that are refused."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import TierTable
from leverage.paper import PaperExchange, Rules, exchange_errors
from leverage.paper.formats import iso

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HOUR = 3_600_000
START = 1_600_000_000_000 // 86_400_000 * 86_400_000
QUIET = (100.0, 100.0, 100.0, 100.0)


def test_a_bar_is_four_ticks_and_its_direction_orders_the_extremes(hourly):
    exchange = hourly((100, 110, 95, 105), (105, 106, 90, 91))
    seen = [(exchange.now - START, exchange.last_price(BTC))]
    while exchange.step():
        seen.append((exchange.now - START, exchange.last_price(BTC)))
    third = HOUR // 3
    assert seen == [
        (0, 100), (third, 95), (2 * third, 110), (HOUR - 1, 105),
        (HOUR, 105), (HOUR + third, 106), (HOUR + 2 * third, 90), (2 * HOUR - 1, 91),
    ]  # fmt: skip
    assert exchange.is_finished
    assert exchange.bar == 2


def test_the_running_bar_shows_only_what_has_traded(hourly):
    exchange = hourly((100, 110, 95, 105), (105, 106, 90, 91))
    exchange.step(5)
    assert exchange.fetch_ohlcv(BTC) == [
        [START, 100, 110, 95, 105, 10.0],
        [START + HOUR, 105, 106, 105, 106, 0.0],
    ]
    exchange.run_until()
    assert exchange.fetch_ohlcv(BTC, "2h") == [[START, 100, 110, 90, 91, 20.0]]


def test_a_step_of_a_bar_goes_to_its_close(hourly):
    exchange = hourly(QUIET, (100, 110, 95, 105), (105, 106, 90, 91))
    assert exchange.step(1, "bar") == 3
    assert exchange.step(2, "bar") == 8
    assert exchange.last_price(BTC) == 91
    assert exchange.step(1, "bar") == 0


def test_a_step_of_a_bar_passes_missing_bars_one_by_one(hourly):
    exchange = hourly(QUIET, None, None, QUIET, timeframe="1h")
    closes = []
    while exchange.step(1, "bar"):
        closes.append((exchange.now + 1 - START, exchange.is_open(BTC)))
    assert closes == [(HOUR, True), (2 * HOUR, False), (3 * HOUR, False), (4 * HOUR, True)]


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.booleans())
def test_whatever_is_missing_the_clock_steps_from_close_to_close_to_the_end(there, with_eth):
    rows = [
        [START + n * HOUR, *QUIET] for n, is_there in enumerate([True, *there, True]) if is_there
    ]
    feeds = {BTC: rows}
    if with_eth:
        feeds[ETH] = [[START + n * HOUR, *QUIET] for n in range(len(there) + 5)]
    exchange = PaperExchange(
        feeds, rules=Rules(tiers=TierTable.flat(0.005)), balance=1_000, timeframe="1h"
    )
    closes = []
    while exchange.step(1, "bar"):
        closes.append(exchange.now + 1 - START)
    assert closes == [HOUR * n for n in range(1, len(there) + (6 if with_eth else 3))]
    assert exchange.is_finished


def test_a_ticker_in_an_outage_is_as_old_as_the_last_price(hourly):
    exchange = hourly(QUIET, None, None, QUIET, timeframe="1h")
    exchange.step(3, "bar")
    assert exchange.milliseconds() - exchange.fetch_ticker(BTC)["timestamp"] == 2 * HOUR
    exchange.step(1)
    assert exchange.fetch_ticker(BTC)["timestamp"] == exchange.milliseconds()


FOUR_HOURS = [[START + 4 * n * HOUR, *QUIET] for n in range(3)]


def test_bars_of_two_lengths_are_stepped_and_shown_each_in_its_own(bars, rules):
    feeds = {BTC: bars(*[QUIET] * 12), ETH: FOUR_HOURS}
    exchange = PaperExchange(feeds, rules=rules(), balance=100)
    assert (exchange.timeframe_of(BTC), exchange.timeframe_of(ETH)) == ("1h", "4h")
    exchange.step(1, "bar")
    assert exchange.now == START + HOUR - 1
    exchange.step(1, "bar", symbol=ETH)
    assert exchange.now == START + 4 * HOUR - 1
    exchange.step(1, "bar", timeframe="2h")
    assert exchange.now == START + 6 * HOUR - 1
    assert len(exchange.fetch_ohlcv(BTC, "2h")) == 3
    with pytest.raises(
        exchange_errors.BadRequest, match=r"must be one of 4h, .* was '1h'; its bars"
    ):
        exchange.fetch_ohlcv(ETH, "1h")
    with pytest.raises(exchange_errors.BadRequest, match="was '1h'"):
        exchange.step(1, "bar", symbol=ETH, timeframe="1h")


@pytest.mark.parametrize("timeframe", ["1h", "2h", "4h"])
@pytest.mark.parametrize("steps", [0, 1, 9, 18, 33, 47])
def test_the_newest_bars_are_the_last_of_all(bars, rules, timeframe, steps):
    rows = [(100 + n, 103 + n, 98 + n, 101 + n) if n not in (3, 4) else None for n in range(12)]
    exchange = PaperExchange(bars(*rows), rules=rules(), balance=100)
    exchange.step(steps) if steps else None
    whole = exchange.fetch_ohlcv(BTC, timeframe)
    for limit in (1, 2, 5, 50):
        assert exchange.fetch_ohlcv(BTC, timeframe, limit=limit) == whole[-limit:]


def test_a_limit_of_no_bars_is_refused(hourly):
    for limit in (0, -1):
        with pytest.raises(
            exchange_errors.BadRequest, match=f"limit must be 1 or more, was {limit}"
        ):
            hourly(QUIET).fetch_ohlcv(BTC, "1h", limit=limit)


def test_weeks_begin_on_a_monday(rules):
    first = 1_704_067_200_000  # Monday, 1 January 2024
    days = [[first + n * 24 * HOUR, *QUIET, 1.0] for n in range(-3, 16)]
    exchange = PaperExchange(days, rules=rules(), balance=100)
    exchange.step(1, "bar", timeframe="1w")
    assert exchange.now == first - 1
    exchange.step(1, "bar", timeframe="1w")
    assert exchange.now == first + 7 * 24 * HOUR - 1
    exchange.run_until()
    weeks = [row[0] for row in exchange.fetch_ohlcv(BTC, "1w")]
    assert weeks == [first + n * 7 * 24 * HOUR for n in (-1, 0, 1, 2)]


def test_ticks_are_bars_of_a_minute_unless_another_length_is_asked_for(rules):
    feed = [[START + n * 20_000, 100 + n] for n in range(12)]
    exchange = PaperExchange({BTC: feed}, ticks=True, rules=rules(), balance=100)
    exchange.run_until()
    minutes = [
        [START + n * 60_000, *(100 + 3 * n + d for d in (0, 2, 0, 2)), 0.0] for n in range(4)
    ]
    assert exchange.fetch_ohlcv(BTC) == exchange.fetch_ohlcv(BTC, "1m") == minutes
    assert exchange.fetch_ohlcv(BTC, "1m", limit=2) == minutes[-2:]
    assert len(exchange.fetch_ohlcv(BTC, "3m")) == 2


def test_a_length_that_has_no_name_gets_one(rules):
    rows = [[START + n * 7 * 60_000, *QUIET] for n in range(5)]
    exchange = PaperExchange(rows, rules=rules(), balance=100)
    assert list(exchange.timeframes) == ["7m", "1w"]
    exchange.step(2, "bar")
    assert len(exchange.fetch_ohlcv(BTC, "7m")) == 2


def test_a_few_bars_around_an_outage_last_what_the_caller_says(rules):
    rows = [[START + hour * HOUR, *QUIET] for hour in (0, 2, 4)]
    exchange = PaperExchange(rows, rules=rules(), balance=100, timeframe="1h")
    assert exchange.timeframe_of(BTC) == "1h"
    exchange.step(2, "bar")
    assert not exchange.is_open(BTC)
    with pytest.raises(exchange_errors.BadFeed, match="multiples of their length"):
        PaperExchange(rows, rules=rules(), balance=100, timeframe="3h")
    with pytest.raises(exchange_errors.BadFeed, match='give "1h" for an hour'):
        PaperExchange(rows, rules=rules(), balance=100, timeframe="hour")


def test_time_runs_to_a_moment_and_never_back(hourly):
    exchange = hourly(QUIET, QUIET, QUIET)
    assert exchange.run_until(iso(START + HOUR)) == 4
    assert exchange.now == START + HOUR
    with pytest.raises(exchange_errors.BadRequest, match="backwards"):
        exchange.run_until(START)
    assert exchange.run_until(pd.Timestamp(START + 2 * HOUR, unit="ms", tz="UTC")) == 4


def test_an_outage_refuses_orders_and_stops_jump_the_gap(hourly):
    exchange = hourly(QUIET, QUIET, None, None, (80, 82, 79, 81))
    exchange.create_order(BTC, "market", "buy", 1)
    stop = exchange.create_order(BTC, "market", "sell", 1, None, {"stopLossPrice": 95})
    exchange.run_until(START + 2 * HOUR)
    assert not exchange.is_open(BTC)
    assert exchange.fetch_status()["status"] == "maintenance"
    for call in (
        lambda: exchange.create_order(BTC, "market", "buy", 1),
        lambda: exchange.cancel_order(stop["id"]),
        lambda: exchange.edit_order(stop["id"], BTC, params={"stopLossPrice": 90}),
    ):
        with pytest.raises(exchange_errors.OnMaintenance, match="no bars"):
            call()
    assert exchange.fetch_ticker(BTC)["last"] == 100
    exchange.run_until()
    assert exchange.fetch_order(stop["id"])["average"] == 80
    kinds = [(e["kind"], e["timestamp"] - START) for e in exchange.events()]
    assert kinds == [("outage", 2 * HOUR), ("reopened", 4 * HOUR)]


def test_what_rests_can_be_cancelled_in_the_last_tick_before_a_market_reopens(hourly):
    exchange = hourly(QUIET, QUIET, None, None, (80, 82, 79, 81))
    limit = exchange.create_order(BTC, "limit", "buy", 1, 90)
    other = exchange.create_order(BTC, "limit", "buy", 1, 89)
    exchange.run_until(START + 3 * HOUR)
    with pytest.raises(exchange_errors.OnMaintenance, match="last tick before it reopens"):
        exchange.cancel_order(limit["id"])
    exchange.step(1)
    assert not exchange.is_open(BTC)
    with pytest.raises(exchange_errors.OnMaintenance):
        exchange.create_order(BTC, "market", "buy", 1)
    assert exchange.cancel_order(limit["id"])["status"] == "canceled"
    exchange.run_until()
    assert [trade["order"] for trade in exchange.fetch_my_trades()] == [other["id"]]


def test_nothing_is_liquidated_while_closed_and_funding_still_falls_due(bars, rules):
    hours = [QUIET, QUIET, *[None] * 9, (70, 70, 70, 70)]
    exchange = PaperExchange(bars(*hours), rules=rules(), funding=0.001, balance=100)
    exchange.create_order(BTC, "market", "buy", 5)
    exchange.run_until(START + 9 * HOUR)
    assert len(exchange.fetch_funding_history()) == 1
    assert exchange.fetch_my_liquidations() == []
    exchange.run_until()
    assert exchange.fetch_my_liquidations()[0]["price"] == 70


def test_one_symbol_can_be_closed_while_another_trades(bars, rules):
    exchange = PaperExchange(
        {BTC: bars(QUIET, QUIET, None, QUIET), ETH: bars(QUIET, QUIET, QUIET, QUIET)},
        rules=rules(),
        balance=100,
    )
    exchange.run_until(START + 2 * HOUR)
    assert exchange.create_order(ETH, "market", "buy", 1)["status"] == "closed"
    with pytest.raises(exchange_errors.OnMaintenance):
        exchange.create_order(BTC, "market", "buy", 1)


def walk(seed, count, price, volatility, missing=()):
    random_number = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        opening = price * (1 + random_number.normal() * volatility / 5)
        close = opening * np.exp(random_number.normal() * volatility)
        high = max(opening, close) * (1 + abs(random_number.normal()) * volatility / 2)
        low = min(opening, close) * (1 - abs(random_number.normal()) * volatility / 2)
        price = close
        if number not in missing:
            rows.append([START + number * HOUR, opening, high, low, close, 10.0])
    return rows


# The requirement of a whole position jumps from tier to tier.
JUMPS = {"tiers": TierTable([0, 20_000, 60_000, 1e9], [0.004, 0.01, 0.05], [125, 50, 20])}


def go(exchange, when=None, *, every_tick):
    """Let time pass, working through every tick or jumping where nothing can happen."""
    if not every_tick:
        exchange.run_until(when)
        return
    engine = exchange._engine
    engine.run(engine.last_row if when is None else engine.row_at(when), every_row=True)


def play(seed, *, every_tick, venue="binance", **options):
    """A busy run: two accounts, two symbols, every order type, an outage."""
    feeds = {
        BTC: walk(seed, 150, 50_000, 0.012, missing=range(60, 66)),
        ETH: walk(seed + 100, 150, 2_000, 0.015),
    }
    exchange = PaperExchange(feeds, venue=venue, balance=20_000, insurance_fund=1_000, **options)
    faces = [exchange, exchange.open_account("other", 5_000)]
    faces[1].set_position_mode(True)
    dice = random.Random(seed)
    for _ in range(40):
        for face in faces:
            symbol, side = dice.choice(exchange.symbols), dice.choice(["buy", "sell"])
            last, way = exchange.last_price(symbol), 1 if side == "buy" else -1
            amount = dice.choice([0.05, 0.2, 1.0]) * (1 if symbol == BTC else 20)
            near = last * dice.uniform(0.97, 1.03)
            order = dice.choice(
                [
                    ("market", None, {}),
                    ("limit", near, {}),
                    ("market", None, {"triggerPrice": near}),
                    ("market", None, {"trailingPercent": 1.5}),
                    ("market", None, {"stopLoss": {"triggerPrice": last * (1 - 0.01 * way)},
                                      "takeProfit": {"triggerPrice": last * (1 + 0.02 * way)}}),
                ]
            )  # fmt: skip
            with contextlib.suppress(exchange_errors.BaseError):
                face.create_order(symbol, order[0], side, amount, *order[1:])
        go(exchange, exchange.now + dice.choice([1, 3, 9]) * HOUR, every_tick=every_tick)
    go(exchange, every_tick=every_tick)
    return exchange


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (1, {}),
        (2, {"funding": 0.0001}),
        (3, {"venue": "bitget", "liquidity": 0.3, "spread": 0.0004, "overrides": JUMPS}),
        (4, {"venue": "mexc", "overrides": JUMPS}),
        (5, {"venue": "binance", "overrides": {"call_level": 0.5}}),
        (6, {"funding": 0.0005, "overrides": {"funding_interval_hours": 0.25}}),
        (7, {"overrides": {"carrying_cost": "interest", "interest_rate": 1e-4}}),
    ],
)
def test_jumping_over_quiet_ticks_gives_the_ledger_of_every_tick(seed, options, balanced):
    jumped, stepped = (play(seed, every_tick=every, **options) for every in (False, True))
    assert len(jumped.fetch_my_trades()) > 10
    assert jumped.postings() == stepped.postings()
    assert jumped.events() == stepped.events()
    assert jumped.fetch_orders() == stepped.fetch_orders()
    assert balanced(jumped)


def test_the_same_calls_give_the_same_ledger():
    assert play(7, every_tick=False).postings() == play(7, every_tick=False).postings()


def test_asking_changes_nothing():
    exchange = play(8, every_tick=False, funding=0.0001)
    before = repr(exchange._world.state)
    for name, can in exchange.has.items():
        if can is not True or not name.startswith("fetch") or name == "fetchLedgerEntry":
            continue
        arguments = {
            "fetchOrder": ("1",), "fetchOrderTrades": ("1",), "fetchOrderStatus": ("1",),
            "fetchPartialBalance": ("free",), "fetchOrderWithClientOrderId": None,
        }.get(name, ())  # fmt: skip
        if arguments is None:
            continue
        needs = ("Ticker", "OHLCV", "Book", "fetchTrades", "FundingRate", "MarketLev", "Position")
        exact = name in ("fetchLeverage", "fetchMarginMode", "fetchTradingFee")
        plural = name.endswith(("Tickers", "Positions", "FundingRates", "PositionMode"))
        if exact or (any(need in name for need in needs) and not plural):
            arguments = (BTC,)
        exchange[name](*arguments)
    exchange.snapshot()
    exchange.preview_order(BTC, "market", "buy", 0.1)
    exchange.check_ledger()
    assert repr(exchange._world.state) == before


@pytest.mark.parametrize("kind", ["list", "array", "frame", "columns"])
def test_bars_come_in_several_shapes(kind):
    rows = walk(1, 10, 100, 0.01)
    table = np.array(rows)
    frame = pd.DataFrame(
        table[:, 1:],
        columns=["open", "high", "low", "close", "volume"],
        index=pd.to_datetime(table[:, 0], unit="ms", utc=True),
    )
    feeds = {
        "list": rows,
        "array": table,
        "frame": frame,
        "columns": frame.reset_index(names="timestamp"),
    }
    exchange = PaperExchange(feeds[kind], balance=1_000)
    exchange.run_until()
    assert exchange.fetch_ohlcv(BTC) == [[int(row[0]), *row[1:]] for row in rows]


def broken(row, column, value):
    rows = walk(1, 6, 100, 0.01)
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (broken(2, 4, float("nan")), "close was nan in row 2"),
        (broken(2, 3, -1.0), "low was -1 in row 2"),
        (broken(2, 1, 0.0), "open was 0 in row 2"),
        (broken(2, 2, 1.0), "high at or above open and close"),
        (broken(2, 3, 1e6), "low at or below"),
        (broken(2, 5, -3.0), "volume of zero or more"),
        (broken(3, 0, START), "rise in time"),
        (broken(3, 0, START + 2 * HOUR), "the same as"),
        (broken(3, 0, START + 2.5 * HOUR), "overlap"),
        ([], "at least one row"),
        ([[START, 100.0]], "open, high, low and close"),
        ("bars", "rows of numbers"),
        ([[START, "a", 1, 1, 1]], "rows of numbers"),
    ],
)
def test_a_broken_feed_is_refused_with_its_row(feed, message):
    with pytest.raises(exchange_errors.BadFeed, match=message) as caught:
        PaperExchange(feed)
    assert isinstance(caught.value, exchange_errors.BadRequest)
    assert isinstance(caught.value, ValueError)


def test_mark_and_index_must_stand_at_the_times_of_the_bars(bars, hourly):
    with pytest.raises(
        exchange_errors.BadFeed, match="mark of BTC/USDT:USDT must have the time stamps"
    ):
        hourly(QUIET, QUIET, mark={BTC: bars(QUIET)})
    with pytest.raises(exchange_errors.BadFeed, match="symbols of bars"):
        hourly(QUIET, index={ETH: bars(QUIET)})


def test_the_end_of_the_history_is_known_and_asking_leaves_the_digest(hourly):
    exchange = hourly(QUIET, QUIET)
    assert exchange.end == START + 2 * HOUR - 1
    before = exchange.digest()
    exchange.snapshot()
    assert exchange.digest() == before
    exchange.step()
    assert exchange.digest() != before


@pytest.mark.parametrize("every_tick", [False, True])
def test_a_call_settled_by_a_deposit_can_come_again(hourly, rules, every_tick):
    # Equity 100 of a long of 10 at 100; called at a margin ratio of 0.5, that is at about 9.1.
    exchange = hourly(
        QUIET, (100, 100, 90.9, 90.9), (90.9,) * 4, (90.9, 90.9, 80.7, 80.7), balance=100,
        rules=rules(call_level=0.5),
    )  # fmt: skip
    exchange.create_order(BTC, "market", "buy", 10)
    go(exchange, START + 2 * HOUR - 1, every_tick=every_tick)
    exchange.deposit("USDT", 100, "swap")
    go(exchange, every_tick=every_tick)
    calls = [e["timestamp"] for e in exchange.events() if e["kind"] == "margin call"]
    assert calls == [START + HOUR + 2 * HOUR // 3, START + 3 * HOUR + 2 * HOUR // 3]
