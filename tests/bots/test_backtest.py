"""The runner: costs, liquidation, restart, orders sent once, kill switch, walk-forward."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import ccxt
import pytest
from hypothesis import given
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
    walk_forward,
)
from leverage.paper import PaperExchange

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
    assert "drawdown is 25.0%" in switch.reason(market, account, peak=10_000)
    assert "6.7 times the equity" in switch.reason(market, account, peak=7_500)
    assert "61 s old" in switch.reason(market, account, peak=7_500, now=1_061_000)
    fine = AccountView(7_501.0, 0.1, 50_000.0)
    assert switch.reason(market, fine, peak=10_000, now=1_060_000) == ""
    assert "drawdown" in switch.reason(market, AccountView(0.0), peak=10_000)
    assert KillSwitch().reason(market, account, peak=10_000) == ""


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
    splits = walk_forward(count, train=train, test=test)
    for known, unseen in splits:
        assert (known.stop - known.start, unseen.stop - unseen.start) == (train, test)
        assert known.start >= 0
        assert known.stop == unseen.start
        assert unseen.stop <= count
    for (_, before), (_, after) in pairwise(splits):
        assert before.stop == after.start
    assert len(splits) == max(0, (count - train) // test)


@pytest.mark.parametrize("name", ["count", "train", "test"])
def test_walk_forward_needs_bars(name):
    given = {"count": 10, "train": 4, "test": 3} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be 1 or more"):
        walk_forward(given.pop("count"), **given)
