"""The trading terminal: what its buttons do, what it says, and that nothing can crash it."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.lessons.explorers.trading_terminal import TradingTerminal
from leverage.paper import PaperExchange

HOUR = 3_600_000
SYMBOL = "BTC/USDT:USDT"
PATH = [100.0, 102, 104, 101, 97, 90, 80, 70, 75, 80]


def bars(path: list[float] = PATH) -> list[list[float]]:
    ends = [*path[1:], path[-1]]
    return [
        [n * HOUR, a, max(a, b), min(a, b), b, 1.0]
        for n, (a, b) in enumerate(zip(path, ends, strict=True))
    ]


def terminal(balance: float = 1_000) -> TradingTerminal:
    return TradingTerminal(PaperExchange(bars(), venue="binance", balance=balance), SYMBOL)


def words(shown: TradingTerminal) -> str:
    return re.sub(r"<[^>]+>", " ", shown.html).replace("\u202f", " ")


def test_a_bought_coin_shows_as_a_position_with_its_liquidation_price() -> None:
    shown = terminal()
    shown.leverage.value, shown.amount.value = 5, 10
    shown.send()
    position = shown.exchange.fetch_position(SYMBOL)
    assert position["contracts"] == 10
    assert position["leverage"] == 5
    assert "Filled: buy 10 BTC at 100.00" in words(shown)
    assert "You are long 10 BTC from 100.00" in shown.sentence.replace("\u202f", " ")


def test_the_preview_says_what_the_order_takes_before_it_is_sent() -> None:
    shown = terminal()
    shown.leverage.value, shown.amount.value = 5, 10
    text = words(shown)
    assert "Before you send it: buy 10 BTC" in text
    assert "200.00 USDT" in text
    assert not shown.exchange.fetch_my_trades(SYMBOL)


def test_an_order_beyond_the_account_is_refused_in_the_preview_and_when_sent() -> None:
    shown = terminal(balance=10)
    shown.leverage.value, shown.amount.value = 1, 5
    assert "This order would be refused." in words(shown)
    shown.send()
    assert "Refused." in words(shown)
    assert shown.exchange.fetch_position(SYMBOL) is None


def test_time_passes_only_by_the_clock_s_controls() -> None:
    shown = terminal()
    start = shown.exchange.now
    shown.amount.value = 3
    assert shown.exchange.now == start
    shown.step_tick()
    assert start < shown.exchange.now < start + HOUR
    shown.step_bars(2)
    assert shown.exchange.bar >= 2
    shown.play.value += 1
    assert shown.exchange.bar >= 3
    bar = shown.exchange.bar
    shown.play.value = 0
    assert shown.exchange.bar == bar


def test_a_stop_attached_to_the_order_closes_it_and_the_terminal_says_so() -> None:
    shown = terminal()
    shown.amount.value, shown.stop_price.value = 2, 95
    shown.send()
    assert len(shown.exchange.fetch_open_orders(SYMBOL)) == 1
    assert re.search(r"Stop-loss, order 2\s+sell 2 at 95.00, reduce-only", words(shown))
    shown.next_event()
    assert "It happened: Filled: sell 2 BTC at 95.00." in re.sub(r"\s+", " ", words(shown))
    assert shown.exchange.fetch_position(SYMBOL) is None
    assert "You hold no position" in shown.sentence


def test_a_liquidation_is_announced() -> None:
    shown = terminal()
    shown.leverage.value, shown.amount.value = 20, 100
    shown.send()
    shown.next_event()
    assert "It happened:" in words(shown)
    assert "Liquidation. 100 contracts" in words(shown)


def test_the_close_and_cancel_buttons_leave_nothing_behind() -> None:
    shown = terminal()
    shown.amount.value, shown.stop_price.value, shown.target_price.value = 2, 90, 120
    shown.send()
    shown.close_position()
    shown.cancel_all()
    assert shown.exchange.fetch_position(SYMBOL) is None
    assert shown.exchange.fetch_open_orders(SYMBOL) == []
    shown.close_position()
    assert "There is no position to close." in words(shown)


def test_the_end_of_the_replay_is_said() -> None:
    shown = terminal()
    shown.step_bars(1_000)
    shown.step_bars(1)
    assert "The replay is over" in words(shown)


def test_the_player_stops_at_the_end_of_the_replay() -> None:
    shown = terminal()
    shown.play.playing = True
    shown.play.value = 1
    assert shown.play.playing
    shown.step_bars(1_000)
    assert not shown.play.playing


@pytest.mark.parametrize("kind", ["limit", "stop", "target", "trailing"])
def test_every_kind_of_order_can_be_sent(kind: str) -> None:
    shown = terminal()
    shown.amount.value = 2
    shown.send()
    shown.kind.value = kind
    shown.side.value = "buy" if kind == "limit" else "sell"
    shown.price.value = {"limit": 90, "stop": 95, "target": 110, "trailing": 5}[kind]
    shown.send()
    orders = shown.exchange.fetch_open_orders(SYMBOL)
    assert len(orders) == 1, words(shown)
    assert orders[0]["reduceOnly"] is (kind != "limit")
    name = {"limit": "Limit", "stop": "Stop-loss", "target": "Take-profit"}.get(
        kind, "Trailing stop"
    )
    assert f"{name}, order 2" in words(shown)


def test_the_orders_of_a_short_are_named_by_what_they_do() -> None:
    shown = terminal()
    shown.side.value, shown.amount.value = "sell", 2
    shown.stop_price.value, shown.target_price.value = 120, 60
    shown.send()
    assert re.search(r"Stop-loss, order \d+\s+buy 2 at 120.00", words(shown))
    assert re.search(r"Take-profit, order \d+\s+buy 2 at 60.00", words(shown))


def test_the_price_field_says_what_it_means_for_each_kind_of_order() -> None:
    shown = terminal()
    assert shown.price.disabled
    shown.kind.value = "trailing"
    assert (shown.price.description, shown.price.value) == ("Distance (%)", 3.0)
    shown.kind.value = "limit"
    assert (shown.price.description, shown.price.value) == ("Limit price", 100.0)
    assert not shown.price.disabled


def test_an_order_that_was_sent_is_not_announced_a_second_time() -> None:
    shown = terminal()
    shown.amount.value = 2
    shown.send()
    shown.step_bars(1)
    assert "Filled" not in words(shown)


@settings(deadline=None, max_examples=settings.default.max_examples * 25 // 100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["amount", "price", "stop_price", "target_price", "leverage", "side", "kind", "go"]
            ),
            st.floats(-1e12, 1e12) | st.sampled_from([float("nan"), float("inf")]),
        ),
        max_size=8,
    )
)
def test_no_value_of_a_control_and_no_order_of_buttons_stops_it(
    moves: list[tuple[str, float]],
) -> None:
    shown = terminal()
    kinds = [value for _, value in shown.kind.options]
    for name, value in moves:
        if name == "go":
            for act in (shown.send, shown.step_tick, shown.close_position, shown.cancel_all):
                act()
        elif name == "leverage":
            shown.leverage.value = int(abs(value) % 125) + 1 if math.isfinite(value) else 1
        elif name == "side":
            shown.side.value = "buy" if value > 0 else "sell"
        elif name == "kind":
            shown.kind.value = (
                kinds[int(abs(value)) % len(kinds)] if math.isfinite(value) else kinds[0]
            )
        else:
            getattr(shown, name).value = value
        assert shown.description


def test_the_picture_changes_with_the_market_and_has_a_still() -> None:
    shown = terminal()
    before = shown.png()
    shown.step_bars(3)
    assert shown.png() != before
    data, _ = shown._repr_mimebundle_()
    assert data["text/plain"] == shown.description


def test_a_market_that_the_exchange_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="symbol must be a market of the exchange, was 'DOGE'"):
        TradingTerminal(PaperExchange(bars(), venue="binance", balance=1), "DOGE")


def test_the_margin_bar_of_an_isolated_position_is_that_of_the_position() -> None:
    exchange = PaperExchange(bars(), venue="binance", balance=1_000)
    exchange.set_margin_mode("isolated", SYMBOL)
    shown = TradingTerminal(exchange, SYMBOL)
    shown.leverage.value, shown.amount.value = 5, 10
    shown.send()
    position = exchange.fetch_position(SYMBOL)
    share = position["maintenanceMargin"] / (position["initialMargin"] + position["unrealizedPnl"])
    assert shown.rows["Requirement / equity"].replace("\u202f", " ") == f"{share:.1%}".replace(
        "%", " %"
    )
