"""The runner: costs, liquidation, restart, orders sent once, kill switch, walk-forward."""

import math
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import ccxt
import numpy as np
import pytest
from bot_markets import FLAT, bars_through
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.bots import (
    AccountView,
    BotOrder,
    BuyAndHold,
    FundingCarry,
    Grid,
    KillSwitch,
    MarketView,
    Martingale,
    Trend,
    close_everything,
    decision_id,
    look,
    place_orders,
    run_bot,
    to_position,
    walk_forward,
)
from leverage.history import load_hourly_window
from leverage.paper import PaperExchange, Rules

HOUR = 3_600_000
START = 1_722_729_600_000
SYMBOL = "BTC/USDT:USDT"
WAVES = (50_000, 51_000, 49_000, 48_000, 50_500, 52_000, 50_000, 49_500, 51_500, 50_200, 48_500)


def test_the_equity_of_a_run_is_the_price_move_less_all_costs(paper):
    exchange = paper(50_000, 50_000, *[55_000] * 20, funding=0.0001)
    done = run_bot(BuyAndHold(1.0), exchange)
    # Bought 0.2 at the close of the first bar that the run steps to.
    assert done.fills == 1
    assert done.fees == pytest.approx(0.2 * 50_000 * exchange.rules.taker_fee_rate)
    assert done.funding > 0
    end = 10_000 + 0.2 * 5_000 - done.costs
    assert done.table["equity"].iloc[-1] == pytest.approx(end)
    assert done.total_return == pytest.approx(end / 10_000 - 1)
    assert abs(exchange.check_ledger()["USDT"]["difference"]) < 1e-6


@pytest.mark.parametrize("answer", [None, BotOrder("buy", 0.01)], ids=["nothing", "one order"])
def test_a_bot_must_answer_with_a_list(answer, paper):
    def careless(market, account):
        return answer

    with pytest.raises(TypeError, match="careless must return a list of orders"):
        run_bot(careless, paper(*WAVES))


def test_a_run_counts_its_liquidation_and_loses_everything(paper):
    done = run_bot(BuyAndHold(10.0), paper(50_000, 50_000, 40_000, 60_000), leverage=20)
    assert done.liquidations == 1
    assert done.max_drawdown == pytest.approx(1.0)
    assert done.total_return == pytest.approx(-1.0)


def test_the_summary_is_one_row_with_the_bots_name(paper):
    row = run_bot(BuyAndHold(), paper(*WAVES), name="mine").summary()
    assert row["bot"] == "mine"
    assert set(row) == {"bot", "return", "drawdown", "liquidations", "fills", "fees", "funding"}
    assert run_bot(BuyAndHold(), paper(*WAVES)).bot == "BuyAndHold"


def test_the_drawdown_counts_from_the_start_of_the_run(paper):
    done = run_bot(BuyAndHold(1.0), paper(50_000, 50_000, 45_000, 50_000))
    assert done.max_drawdown == pytest.approx((1_000 + done.fees) / 10_000)


def test_bars_that_are_not_complete_are_hidden_from_the_bot(paper):
    exchange = paper(*WAVES)
    exchange.step(5)
    market, _, _ = look(exchange, SYMBOL, timeframe="1h")
    assert market.closes == (50_000,)
    exchange.step(1, unit="bar")
    market, _, _ = look(exchange, SYMBOL, timeframe="1h")
    assert market.closes == (50_000, 51_000)


@pytest.mark.parametrize(
    "bot",
    [
        Grid(46_000, 54_000, 16, 0.01),
        Martingale(0.01, 0.02, 3, 0.01),
        Trend(2, 4, exposure=2.0, stop=0.02),
    ],
    ids=["grid", "martingale", "trend"],
)
def test_a_bot_that_is_stopped_and_resumed_ends_where_it_would_have_ended(bot, paper, tmp_path):
    exchange = paper(*WAVES * 2, leverage=5)
    run_bot(bot, exchange, bars=7)
    exchange.save(tmp_path / "bot.json")
    resumed = type(exchange).resume(tmp_path / "bot.json")
    after, whole = run_bot(bot, resumed), run_bot(bot, paper(*WAVES * 2, leverage=5))
    assert after.fills > 0
    assert after.table["equity"].tolist() == whole.table["equity"].tolist()[7:]


def test_a_decision_sent_again_trades_once(paper):
    exchange = paper(*WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    wanted = [BotOrder("buy", 0.01), BotOrder("buy", 0.02, 45_000)]
    first = place_orders(exchange, market, wanted, waiting)
    again = place_orders(exchange, market, wanted, waiting)
    assert (first.sent, again.sent, again.repeated) == (2, 0, 2)
    assert exchange.fetch_position(SYMBOL)["contracts"] == pytest.approx(0.01)


def test_the_id_of_a_decision_changes_with_everything_that_makes_it_another():
    market = MarketView(SYMBOL, 99, 50_000.0, ((0, 1, 1, 1, 1, 1),))
    order = BotOrder("buy", 0.01, 49_000.0)
    other = [
        decision_id("dca", market, order),
        decision_id("grid", replace(market, bars=((60, 1, 1, 1, 1, 1),)), order),
        decision_id("grid", replace(market, symbol="ETH/USDT:USDT"), order),
        decision_id("grid", market, replace(order, price=48_000.0)),
        decision_id("grid", market, order, 1),
    ]
    first = decision_id("grid", market, order)
    assert len({first, *other}) == 6
    # The moment is no part of the decision's name, nor is the amount that follows its price.
    later = replace(market, time=100, price=50_001.0)
    assert first == decision_id("grid", later, replace(order, amount=0.011))
    assert len(first) <= 36


def test_orders_that_still_stand_are_kept_and_others_cancelled(paper):
    exchange = paper(*WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    place_orders(
        exchange, market, [BotOrder("buy", 0.01, 45_000), BotOrder("buy", 0.01, 44_000)], waiting
    )
    exchange.step(1, unit="bar")
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    done = place_orders(exchange, market, [BotOrder("buy", 0.01, 45_000.04)], waiting)
    assert (done.kept, done.cancelled, done.sent) == (1, 1, 0)
    assert [row["price"] for row in exchange.fetch_open_orders(SYMBOL)] == [45_000]


def test_a_refused_order_is_noted_and_the_others_are_sent(paper):
    exchange = paper(*WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    done = place_orders(exchange, market, [BotOrder("buy", 100.0), BotOrder("buy", 0.01)], waiting)
    assert done.sent == 1
    assert len(done.refused) == 1
    assert "InsufficientFunds" in done.refused[0] or "OperationRejected" in done.refused[0]


def test_less_than_one_step_of_the_venue_is_no_order(paper):
    exchange = paper(*WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    done = place_orders(exchange, market, [BotOrder("buy", 0.0004)], waiting)
    assert (done.sent, done.refused) == (0, [])


def test_a_mistake_in_the_program_is_not_taken_for_a_refusal(paper):
    exchange = paper(*WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    exchange.create_order = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        place_orders(exchange, market, [BotOrder("buy", 0.01)], waiting)


def test_the_kill_switch_closes_everything_and_the_bot_has_no_say_again(paper):
    bot = BuyAndHold(2.0)
    falling = paper(50_000, 50_000, 45_000, 44_000, 60_000, 70_000, leverage=5)
    done = run_bot(bot, falling, kill_switch=KillSwitch(max_drawdown=0.15))
    assert "drawdown" in done.stopped
    assert done.table["quantity"].tolist()[-3:] == [0.0, 0.0, 0.0]
    assert done.table["equity"].iloc[-1] == pytest.approx(8_000, rel=0.01)
    assert done.orders == 2


def test_the_kill_switch_stays_off_after_a_restart(paper, tmp_path):
    bot, switch = BuyAndHold(2.0), KillSwitch(max_drawdown=0.15)
    exchange = paper(50_000, 50_000, 45_000, 44_000, 60_000, 70_000, leverage=5)
    before = run_bot(bot, exchange, kill_switch=switch, bars=4)
    assert before.stopped
    assert before.peak > 9_900
    exchange.save(tmp_path / "bot.json")
    resumed = type(exchange).resume(tmp_path / "bot.json")
    after = run_bot(bot, resumed, kill_switch=switch, after=before)
    assert (after.stopped, after.peak) == (before.stopped, before.peak)
    assert after.table["quantity"].tolist() == [0.0, 0.0]


def test_the_drawdown_of_a_kill_switch_counts_from_the_peak_before_a_restart(paper):
    exchange = paper(50_000, 50_000, 60_000, 57_000, 54_000, 54_000, leverage=5)
    bot, switch = BuyAndHold(2.0), KillSwitch(max_drawdown=0.15)
    before = run_bot(bot, exchange, kill_switch=switch, bars=4)
    assert not before.stopped
    assert "drawdown" in run_bot(bot, exchange, kill_switch=switch, after=before).stopped


def test_the_kill_switch_names_its_reason():
    market = MarketView(SYMBOL, 1_000_000, 50_000.0, ())
    account = AccountView(7_500.0, 1.0, 50_000.0)
    switch = KillSwitch(max_drawdown=0.25, max_exposure=5.0, max_age=60.0)
    assert "drawdown is 25%" in switch.reason(market, account, peak=10_000)
    assert "6.667 times the equity" in switch.reason(market, account, peak=7_500)
    assert "61 s old" in switch.reason(replace(market, age=61.0), account, peak=7_500)
    fine = AccountView(7_501.0, 0.1, 50_000.0)
    assert switch.reason(replace(market, age=60.0), fine, peak=10_000) == ""
    assert "drawdown" in switch.reason(market, AccountView(0.0), peak=10_000)
    assert KillSwitch().reason(market, account, peak=10_000) == ""


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_drawdown": 20}, "give 0.2 for 20 %"),
        ({"max_drawdown": 0.0}, "above 0 and at most 1, was 0"),
        ({"max_drawdown": math.nan}, "max_drawdown must be a number, was nan"),
        ({"max_exposure": 0}, "max_exposure must be positive"),
        ({"max_exposure": math.nan}, "max_exposure must be a number"),
        ({"max_age": -1}, "max_age must be positive"),
        ({"max_age": "60"}, "max_age must"),
    ],
)
def test_a_kill_switch_that_could_not_act_is_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        KillSwitch(**limits)


def test_an_old_price_stops_a_bot_in_the_middle_of_an_outage(flat):
    rows = [row for n, row in enumerate(bars_through(*[100.0] * 30)) if not 10 <= n < 20]
    exchange = PaperExchange(rows, rules=flat, balance=10_000)
    done = run_bot(BuyAndHold(), exchange, kill_switch=KillSwitch(max_age=3 * 3_600))
    assert done.stopped == "the newest price is 14400 s old, more than 10800"
    # Nothing can be traded before the market opens again; then everything is closed at once.
    held = done.table["quantity"].tolist()
    assert (held[9], held[10], held[11], held[-1]) == (100.0, 0.0, 0.0, 0.0)
    assert exchange.fetch_my_trades()[-1]["timestamp"] == START + 20 * HOUR


@pytest.mark.parametrize("timeframe", [None, "4h"])
@pytest.mark.parametrize("second", [False, True])
def test_a_switch_that_acts_in_an_outage_is_faster_than_what_rests(flat, timeframe, second):
    """The market reopens far below a grid: none of its orders fills, and the position goes at once."""
    closes = [100.0] * 10 + [85.0] * 10
    rows = [row for n, row in enumerate(bars_through(*closes)) if not 9 <= n < 15]
    feeds = {SYMBOL: rows}
    if second:
        feeds["ETH/USDT:USDT"] = bars_through(*[50.0] * 20)
    exchange = PaperExchange(feeds, rules=flat, balance=10_000, timeframe="1h")
    switch = KillSwitch(max_age=2 * 3_600)
    done = run_bot(Grid(90, 102, 6, 1), exchange, timeframe=timeframe, kill_switch=switch)
    assert "s old" in done.stopped
    before, last = exchange.fetch_my_trades()[:-1], exchange.fetch_my_trades()[-1]
    assert all(trade["price"] == 100 for trade in before)
    assert (last["timestamp"], last["price"]) == (START + 15 * HOUR, 85.0)
    assert last["amount"] == sum(trade["amount"] for trade in before)
    assert exchange.fetch_open_orders() == []
    assert done.is_complete


def test_a_stopped_bot_that_is_taken_up_in_an_outage_closes_at_the_reopening(flat):
    rows = [row for n, row in enumerate(bars_through(*[100.0] * 12)) if not 4 <= n < 9]
    exchange = PaperExchange(rows, rules=flat, balance=10_000, timeframe="1h")
    before = run_bot(BuyAndHold(), exchange, bars=3)
    exchange.run_until(START + 6 * HOUR)
    done = run_bot(BuyAndHold(), exchange, after=replace(before, stopped="by hand"))
    assert exchange.fetch_my_trades()[-1]["timestamp"] == START + 9 * HOUR
    assert (done.orders, done.fills) == (1, 1)


def test_a_market_that_never_reopens_ends_a_stopped_run(flat):
    feeds = {SYMBOL: bars_through(*[100.0] * 4), "ETH/USDT:USDT": bars_through(*[50.0] * 9)}
    exchange = PaperExchange(feeds, rules=flat, balance=10_000)
    ladder = [BotOrder("buy", 1.0, 90.0)]
    done = run_bot(lambda *_: ladder, exchange, kill_switch=KillSwitch(max_age=3_600))
    assert (len(exchange.fetch_open_orders()), done.is_complete) == (1, True)


def test_a_switched_off_bot_leaves_no_order_behind(flat):
    """Orders that rest without a position are cancelled too."""
    ladder = [BotOrder("buy", 1.0, 90.0)]
    rows = [row for n, row in enumerate(bars_through(*[100.0] * 9, 80.0)) if not 3 <= n < 8]
    exchange = PaperExchange(rows, rules=flat, balance=10_000)
    done = run_bot(lambda *_: ladder, exchange, kill_switch=KillSwitch(max_age=3_600))
    assert (done.fills, exchange.fetch_open_orders()) == (0, [])


def test_an_account_without_money_runs_to_its_end(flat):
    exchange = PaperExchange(bars_through(*[100.0] * 3), rules=flat, balance=0)
    done = run_bot(BuyAndHold(), exchange, kill_switch=KillSwitch(max_drawdown=0.2))
    assert (done.total_return, done.max_drawdown, done.stopped) == (0.0, 0.0, "")


def test_a_run_of_no_bars_returns_nothing(flat):
    exchange = PaperExchange(bars_through(*[100.0] * 3), rules=flat, balance=100)
    exchange.run_until()
    done = run_bot(BuyAndHold(), exchange)
    assert (len(done.table), done.total_return, done.max_drawdown, done.costs) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("bars", [-1, 2.5, 0, True])
def test_a_number_of_bars_is_whole_and_positive(flat, bars):
    exchange = PaperExchange(bars_through(*[100.0] * 3), rules=flat, balance=100)
    with pytest.raises(ValueError, match="bars must"):
        run_bot(BuyAndHold(), exchange, bars=bars)


# The clock.


@settings(deadline=None, max_examples=settings.default.max_examples * 40 // 100)
@given(st.sets(st.integers(1, 28), max_size=27))
def test_a_run_passes_every_gap_and_ends_where_the_history_does(missing):
    closes = [50_000 * 1.01**n for n in range(30)]
    rows = [row for n, row in enumerate(bars_through(*closes)) if n not in missing]
    exchange = PaperExchange(rows, rules=FLAT, balance=1_000_000, timeframe="1h")
    done = run_bot(BuyAndHold(), exchange)
    assert done.is_complete
    assert len(done.table) == len(rows)
    # Bought at the first close and held: 100 % less the fee, whatever is missing in between.
    assert done.total_return == pytest.approx(1.01**29 - 1 - 0.0005, abs=1e-4)


def test_the_bundled_outage_of_2021_does_not_end_a_run(flat):
    window = load_hourly_window("2021-04-18")
    done = run_bot(BuyAndHold(), PaperExchange(window, rules=flat, balance=1_000_000))
    assert (len(done.table), done.is_complete) == (94, True)
    assert done.total_return == pytest.approx(-0.0821, abs=5e-5)


def test_a_run_that_was_left_early_says_so(flat):
    exchange = PaperExchange(bars_through(*[100.0] * 5), rules=flat, balance=100)
    assert not run_bot(BuyAndHold(), exchange, bars=3).is_complete
    assert run_bot(BuyAndHold(), exchange).is_complete


def test_a_second_symbol_neither_hides_a_gap_nor_adds_decisions(flat):
    rows = [row for n, row in enumerate(bars_through(*WAVES)) if n not in (3, 4)]
    seen = []

    def watcher(market, account):
        seen.append(len(market.bars))
        return []

    feeds = {SYMBOL: rows, "ETH/USDT:USDT": bars_through(*WAVES)}
    run_bot(watcher, PaperExchange(feeds, rules=flat, balance=1_000))
    assert seen == list(range(1, len(WAVES) - 1))


def test_a_bot_decides_on_completed_bars_of_its_own_length(flat):
    """A four-hour bar beside hourly ones is not shown before it has ended."""
    long = bars_through(*range(100, 112), first=START, length=4 * HOUR)
    feeds = {SYMBOL: bars_through(*[100.0] * 48), "ETH/USDT:USDT": long}
    ends = []

    def watcher(market, account):
        ends.append((market.time + 1 - START, market.bars[-1][0] + 4 * HOUR - START))
        return []

    exchange = PaperExchange(feeds, rules=flat, balance=1_000)
    run_bot(watcher, exchange, symbol="ETH/USDT:USDT")
    assert ends == [(4 * HOUR * n, 4 * HOUR * n) for n in range(1, 13)]
    ends.clear()
    run_bot(watcher, PaperExchange(feeds, rules=flat, balance=1_000), timeframe="4h")
    assert ends == [(4 * HOUR * n, 4 * HOUR * n) for n in range(1, 13)]


# What a bot sees.


def test_a_bot_sees_as_many_bars_as_it_needs(flat):
    closes = [100 * 1.002**n for n in range(400)]
    for slow in (200, 250):
        done = run_bot(
            Trend(slow=slow), PaperExchange(bars_through(*closes), rules=flat, balance=10_000)
        )
        assert done.fills == 1
        assert done.total_return == pytest.approx(1.002 ** (400 - slow) - 1, abs=0.005)


def test_too_short_a_history_is_said_once(flat):
    exchange = PaperExchange(bars_through(*[100.0] * 30), rules=flat, balance=10_000)
    with pytest.warns(UserWarning, match="Trend needs 50 bars of 1h .* saw 30") as caught:
        run_bot(Trend(), exchange)
    assert len(caught) == 1


@pytest.mark.filterwarnings("ignore::leverage.CourseWarning")
@settings(deadline=None, max_examples=settings.default.max_examples * 40 // 100)
@given(
    seed=st.integers(0, 10_000),
    bot=st.sampled_from(
        [Trend(2, 4), Grid(80, 120, 8, 1.0), Martingale(1.0, 0.02, 3, 0.01), BuyAndHold(), "carry"]
    ),
    cut=st.integers(3, 25),
)
def test_changing_the_future_never_changes_a_decision(seed, bot, cut):
    """Prices, marks, funding and volumes after a moment are exchanged; all before stays the same."""
    inverse = bot == "carry"
    bot = FundingCarry() if inverse else bot
    symbol = "BTC/USD:BTC" if inverse else SYMBOL
    rules = replace(
        FLAT, contract="inverse" if inverse else "linear", settlement="USD" if inverse else "USDT"
    )

    def decisions(future):
        draws = np.random.default_rng(seed)
        past = 100 * np.exp(np.cumsum(draws.normal(0, 0.02, 30)))
        later = 100 * np.exp(np.cumsum(np.random.default_rng(future).normal(0, 0.03, 30)))
        closes = [*past[:cut], *later[cut:]]
        rates = draws.normal(0, 0.001, 60)
        rates[cut:] = np.random.default_rng(future).normal(0, 0.001, 60)[cut:]
        rows = bars_through(*closes)
        for number, row in enumerate(rows):
            row[5] = float(number if number < cut else future % 1_000 + 1)
        # Settled in the middle of every hour.
        funding = [(START + n * HOUR + HOUR // 2, float(rate)) for n, rate in enumerate(rates)]
        index = [[*row[:1], *(price * 0.999 for price in row[1:5]), 1.0] for row in rows]
        exchange = PaperExchange(
            {symbol: rows}, index={symbol: index}, rules=rules, funding=funding, balance=10_000
        )
        told = []

        def watched(market, account):
            wanted = bot(market, account)
            told.append((market, account, list(wanted)))
            return wanted

        run_bot(watched, exchange, bars=cut, leverage=5)
        return told

    assert decisions(seed + 1) == decisions(seed + 2)


def test_a_carry_bot_earns_what_the_last_settled_rate_lets_it():
    """Rates without a memory: who acts on the last one earns nothing to speak of."""
    rates = np.random.default_rng(7).normal(0, 0.0005, 200)
    rows = bars_through(*[100.0] * 201)
    rules = replace(FLAT, contract="inverse", settlement="USD", taker_fee_rate=0.0)
    funding = [(START + (n + 1) * HOUR, float(rate)) for n, rate in enumerate(rates)]
    exchange = PaperExchange({"BTC/USD:BTC": rows}, rules=rules, funding=funding, balance=100.0)
    done = run_bot(FundingCarry(), exchange)
    known = rates[:-1]
    earned = rates[1:][known > 0].sum()
    peeked = rates[rates > 0].sum()
    assert done.total_return == pytest.approx(earned, abs=0.01)
    assert done.total_return < peeked / 2


# Counting.


def test_a_continued_run_counts_nothing_twice(flat):
    def turns(market, account):
        return to_position(account, -account.quantity or 1.0)

    def market():
        return PaperExchange(bars_through(*WAVES), rules=flat, balance=1_000_000)

    whole = run_bot(turns, market())
    exchange = market()
    parts = [run_bot(turns, exchange, bars=n) for n in (3, 4, 4)]
    assert sum(part.fills for part in parts) == whole.fills
    assert sum(part.orders for part in parts) == whole.orders
    assert sum(part.fees for part in parts) == pytest.approx(whole.fees)
    assert sum(part.change for part in parts) == pytest.approx(whole.change)


def test_what_was_traded_before_a_run_is_not_counted(flat):
    exchange = PaperExchange(bars_through(*WAVES), rules=flat, balance=1_000_000)
    exchange.create_order(SYMBOL, "market", "buy", 1.0)
    done = run_bot(lambda *_: [], exchange)
    assert (done.fills, done.fees) == (0, 0.0)
    assert done.profit == pytest.approx(WAVES[-1] - WAVES[0])


def test_rollovers_and_opening_fees_are_costs():
    rows = bars_through(*[100.0] * 11)
    exchange = PaperExchange(
        {"BTC/USD": rows},
        rules=Rules(
            requirement="margin level",
            close_out_level=0.4,
            contract="spot margin",
            settlement="USD",
            carrying_cost="rollover",
            funding_interval_hours=4.0,
            opening_fee_rates=(0.01, 0.01),
            carrying_rates=(0.005, 0.005),
            max_leverage=5,
        ),
        balance=10_000,
    )
    done = run_bot(BuyAndHold(0.1), exchange)
    # 1 000 USD held from 01:00 on: opening fee 10, and 5 at 05:00 and 09:00.
    assert done.costs == pytest.approx(20.0)
    assert (done.funding, done.fees) == (pytest.approx(20.0), 0.0)
    assert done.total_return == pytest.approx(-20 / 10_000)


def test_a_partial_liquidation_is_not_a_liquidation():
    rows = bars_through(50_000, 50_000, 47_800, 60_000)
    exchange = PaperExchange(rows, venue="binance", balance=500_000)
    exchange.set_margin_mode("isolated", SYMBOL)
    done = run_bot(BuyAndHold(10.0), exchange, leverage=20)
    assert (done.liquidations, done.partial_liquidations > 0) == (0, True)
    assert done.table["quantity"].iloc[-1] > 0
    assert done.unexplained == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None, max_examples=settings.default.max_examples * 40 // 100)
@given(
    seed=st.integers(0, 10_000),
    leverage=st.sampled_from([3, 10, 50]),
    exposure=st.floats(0.5, 40),
    kind=st.sampled_from(["linear", "inverse", "spot margin"]),
    other=st.booleans(),
)
def test_the_change_of_the_equity_is_price_and_every_cause(seed, leverage, exposure, kind, other):
    draws = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(draws.normal(0, 0.05, 40)))
    if kind == "spot margin":
        rules = Rules(
            requirement="margin level", close_out_level=0.4, contract=kind, settlement="USD",
            carrying_cost="rollover", funding_interval_hours=4.0, opening_fee_rates=(0.001, 0.002),
            carrying_rates=(0.001, 0.001), max_leverage=50, taker_fee_rate=0.0005,
        )  # fmt: skip
        funding = None
    else:
        rules = replace(FLAT, contract=kind, settlement="USD" if kind == "inverse" else "USDT")
        funding = float(draws.normal(0, 0.001))
    base, quote = "BTC", {"linear": "USDT:USDT", "inverse": "USD:BTC", "spot margin": "USD"}[kind]
    feeds = {f"{base}/{quote}": bars_through(*closes)}
    if other and kind != "inverse":
        feeds[f"ETH/{quote}"] = bars_through(*closes[::-1])
    exchange = PaperExchange(feeds, rules=rules, funding=funding, balance=1_000)
    symbol = next(iter(feeds))

    def bot(market, account):
        held = account.quantity
        wanted = market.contracts(min(exposure, 0.8 * leverage) * account.equity)
        turned = draws.random() < 0.3
        orders = to_position(
            account, (-1 if held > 0 else 1) * wanted if turned else held or wanted
        )
        if other and len(feeds) > 1 and draws.random() < 0.3:
            with suppress(Exception):
                exchange.create_order(list(feeds)[1], "market", "buy", wanted / 10)
        return orders

    before = exchange.equity()
    done = run_bot(bot, exchange, leverage=leverage)
    assert done.change == pytest.approx(exchange.equity() - before, abs=1e-9)
    assert done.unexplained == pytest.approx(0.0, abs=1e-6)
    if kind != "inverse":
        total = done.profit + sum(done.flows.values())
        assert done.total_return == pytest.approx(total / 1_000, abs=1e-6)
    assert done.fills == len(exchange.fetch_my_trades())
    assert symbol in exchange.symbols


def test_closing_everything_leaves_neither_orders_nor_a_position(paper):
    exchange = paper(*WAVES)
    exchange.create_order(SYMBOL, "market", "buy", 0.05)
    exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40_000)
    assert close_everything(exchange, SYMBOL).sent == 1
    assert exchange.fetch_open_orders(SYMBOL) == []
    assert not exchange.fetch_positions([SYMBOL])


def test_closing_everything_works_on_bars_of_any_length():
    days = [[START + n * 24 * HOUR, *[50_000.0] * 4, 1.0] for n in range(3)]
    exchange = PaperExchange(days, venue="binance", balance=10_000)
    exchange.create_order(SYMBOL, "market", "buy", 0.05)
    assert close_everything(exchange, SYMBOL).sent == 1
    assert not exchange.fetch_positions([SYMBOL])


def test_a_run_through_an_outage_waits_for_the_market_to_open(paper):
    exchange = paper(50_000, 50_000, 51_000)
    rows = [[START + h * HOUR, 50_000, 50_100, 49_900, 50_000, 1.0]
            for h in (0, 1, 2, 5, 6)]  # fmt: skip
    gap = type(exchange)(rows, venue="binance", balance=10_000)
    assert run_bot(BuyAndHold(), gap).fills == 1


def test_a_progress_bar_counts_every_bar_to_the_end(paper, capsys):
    run_bot(BuyAndHold(), paper(*WAVES), name="mine", progress=True)
    shown = capsys.readouterr().err
    assert "mine: 100%" in shown
    assert f"{len(WAVES)}/{len(WAVES)}" in shown
    run_bot(BuyAndHold(), paper(*WAVES), progress=True, bars=3)
    assert "3/3" in capsys.readouterr().err
    run_bot(BuyAndHold(), paper(*WAVES))
    assert capsys.readouterr().err == ""


# The same bots on ccxt's own classes.


def test_ccxt_and_paper_show_a_bot_the_same_market(paper, recorded):
    exchange = paper(*WAVES, funding=0.0001)
    exchange.run_until()
    mine, my_account, _ = look(exchange, SYMBOL, timeframe="1h")
    theirs, their_account, _ = look(recorded(WAVES), SYMBOL, timeframe="1h")
    strip = {"bars": tuple(bar[:5] for bar in mine.bars)}
    assert replace(mine, **strip) == replace(theirs, bars=tuple(bar[:5] for bar in theirs.bars))
    assert my_account == their_account


@pytest.mark.parametrize(
    "bot",
    [
        BuyAndHold(1.0),
        Trend(2, 4),
        Grid(46_000, 54_000, 4, 0.01),
        Martingale(0.01, 0.02, 3, 0.01),
    ],
    ids=lambda bot: type(bot).__name__,
)
def test_every_bot_sends_the_same_orders_to_ccxt_and_to_paper(bot, paper, recorded):
    mine, theirs = paper(*WAVES, funding=0.0001), recorded(WAVES)
    mine.run_until()
    for exchange in (mine, theirs):
        market, account, waiting = look(exchange, SYMBOL, timeframe="1h")
        place_orders(exchange, market, bot(market, account), waiting, bot="b")
    sent = [
        (row["clientOrderId"], row["side"].upper(), row["amount"], row["price"])
        for row in mine.fetch_orders(SYMBOL)
    ]
    assert sorted(row[:3] for row in sent) == sorted(
        (q["newClientOrderId"], q["side"], float(q["quantity"])) for q in theirs.sent
    )
    prices = {q["newClientOrderId"]: float(q["price"]) for q in theirs.sent if "price" in q}
    assert prices.items() <= {row[0]: row[3] for row in sent}.items()


def test_the_funding_carry_sells_as_many_contracts_on_ccxts_inverse_class_as_on_paper(recorded):
    rows = recorded(WAVES).bars
    mine = PaperExchange(
        rows,
        venue="binance",
        product="coin_futures",
        overrides={"taker_fee_rate": 0.0, "maker_fee_rate": 0.0, "funding_interval_hours": 8},
        funding=0.0001,
        balance={"BTC": 0.2},
    )
    mine.run_until()
    theirs = recorded(WAVES, inverse=True, equity=0.2)
    bot, amounts = FundingCarry(), []
    for exchange, symbol in ((mine, mine.symbols[0]), (theirs, "BTC/USD:BTC")):
        market, account, waiting = look(exchange, symbol, timeframe="1h")
        assert place_orders(exchange, market, bot(market, account), waiting).sent == 1
        amounts.append(look(exchange, symbol, timeframe="1h")[1].quantity)
    # 0.2 BTC at 48 500 are worth 97 contracts of 100 USD.
    assert amounts == [-97.0, -97.0]


def test_a_position_of_ccxt_is_read_with_its_sign_and_closed(recorded):
    exchange = recorded(WAVES, quantity=-0.5, entry=51_000.0)
    _, account, _ = look(exchange, SYMBOL, timeframe="1h")
    assert (account.quantity, account.entry_price) == (-0.5, 51_000.0)
    exchange.create_order(SYMBOL, "limit", "sell", 0.1, 60_000.0)
    assert close_everything(exchange, SYMBOL).sent == 1
    assert exchange.quantity == 0
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_a_stop_that_the_venue_keeps_apart_is_recognised_and_cancelled(recorded):
    exchange = recorded((*WAVES, 56_000), quantity=0.2, entry=48_000.0)
    bot = Trend(2, 4, stop=0.1)
    market, account, waiting = look(exchange, SYMBOL, timeframe="1h")
    assert place_orders(exchange, market, bot(market, account), waiting).sent == 1
    (asked,) = exchange.sent
    assert (asked["type"], asked["side"], asked["quantity"]) == ("STOP_MARKET", "SELL", "0.2")
    assert float(asked["triggerPrice"]) == pytest.approx(43_200)
    assert asked["reduceOnly"] == "true"
    market, account, waiting = look(exchange, SYMBOL, timeframe="1h")
    assert place_orders(exchange, market, bot(market, account), waiting).kept == 1
    assert place_orders(exchange, market, [], waiting).cancelled == 1
    assert look(exchange, SYMBOL, timeframe="1h")[2] == []


def test_refusals_of_ccxt_are_noted(recorded):
    exchange = recorded(WAVES)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    done = place_orders(exchange, market, [BotOrder("sell", 0.01, reduce_only=True)], waiting)
    assert done.sent == 0
    (refusal,) = done.refused
    assert "ReduceOnly Order is rejected" in refusal


@pytest.mark.parametrize("price", [None, 45_000.0], ids=["market", "limit"])
def test_an_order_whose_answer_was_lost_is_not_sent_again(price, recorded):
    exchange = recorded(WAVES, lose_answers=1)
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    with pytest.raises(ccxt.RequestTimeout):
        place_orders(exchange, market, [BotOrder("buy", market.contracts(500.0), price)], waiting)
    # The price has moved when the bot tries again, and with it the amount that it can pay for.
    exchange.bars[-1][4] += 10
    market, _, waiting = look(exchange, SYMBOL, timeframe="1h")
    again = place_orders(
        exchange, market, [BotOrder("buy", market.contracts(500.0), price)], waiting
    )
    assert (again.sent, len(exchange.sent)) == (0, 1)
    assert (again.repeated, again.kept) == ((1, 0) if price is None else (0, 1))


def test_a_bot_that_starts_again_after_a_lost_answer_holds_what_it_wanted(recorded):
    exchange = recorded(WAVES, lose_answers=1)
    for bot in (BuyAndHold(1.0), BuyAndHold(1.0)):
        market, account, waiting = look(exchange, SYMBOL, timeframe="1h")
        with suppress(ccxt.NetworkError):
            place_orders(exchange, market, bot(market, account), waiting)
        exchange.bars[-1][4] += 10
    assert len(exchange.sent) == 1
    assert exchange.quantity == pytest.approx(10_000 / 48_500, abs=0.001)


@given(st.integers(1, 400), st.integers(1, 90), st.integers(1, 90))
def test_walk_forward_never_tests_on_what_it_trained_on(count, train, test):
    if count < train + test:
        with pytest.raises(
            ValueError, match=rf"at least train \+ test = {train + test}, was {count}"
        ):
            walk_forward(count, train=train, test=test)
        return
    splits = walk_forward(count, train=train, test=test)
    for known, unseen in splits:
        assert (known.stop - known.start, unseen.stop - unseen.start) == (train, test)
        assert known.start >= 0
        assert known.stop == unseen.start
        assert unseen.stop <= count
    for (_, before), (_, after) in pairwise(splits):
        assert before.stop == after.start
    assert len(splits) == (count - train) // test


@pytest.mark.parametrize("name", ["count", "train", "test"])
def test_walk_forward_needs_bars(name):
    given = {"count": 10, "train": 4, "test": 3} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1"):
        walk_forward(given.pop("count"), **given)
