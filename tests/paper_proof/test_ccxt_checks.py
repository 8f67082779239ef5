"""Every structure check that ccxt ships and that applies, against the paper exchange."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import ccxt
import pytest
from ccxt_checks import (
    Borrowed,
    Helped,
    Listed,
    Wrapped,
    check_of,
    names_of_checks,
    run_trading_scenario,
)
from paper_states import STATES, State

# ---- the structures: ccxt/test/exchange/base

# Each name is a check of ccxt; it gives the answers to look at as (method, arguments around them).
Looks = Iterator[tuple[Any, ...]]


def balances(x: Any, state: State) -> Looks:
    yield "fetchBalance", x.fetch_balance()
    yield "fetchBalance", x.fetch_balance({"type": "spot"})


def positions(x: Any, state: State) -> Looks:
    for entry in x.fetch_positions():
        yield "fetchPositions", entry, entry["symbol"], x.milliseconds()


def orders(x: Any, state: State) -> Looks:
    for method in ("fetchOrders", "fetchOpenOrders", "fetchClosedOrders"):
        for entry in x[method](state.symbol):
            yield method, entry, state.symbol, x.milliseconds()


def trades(x: Any, state: State) -> Looks:
    for entry in x.fetch_my_trades(state.symbol):
        yield "fetchMyTrades", entry, state.symbol, x.milliseconds(), False
    for entry in x.fetch_trades(state.symbol):
        yield "fetchTrades", entry, state.symbol, x.milliseconds(), True


def ledger_entries(x: Any, state: State) -> Looks:
    for entry in x.fetch_ledger(state.code):
        yield "fetchLedger", entry, state.code, x.milliseconds()


def leverage_tiers(x: Any, state: State) -> Looks:
    for entry in x.fetch_market_leverage_tiers(state.symbol):
        yield "fetchMarketLeverageTiers", entry


def liquidations(x: Any, state: State) -> Looks:
    for entry in x.fetch_my_liquidations(state.symbol):
        yield "fetchMyLiquidations", entry, state.symbol


def margin_modes(x: Any, state: State) -> Looks:
    yield "fetchMarginMode", x.fetch_margin_mode(state.symbol)


def markets(x: Any, state: State) -> Looks:
    for entry in x.fetch_markets():
        yield "fetchMarkets", entry


def candles(x: Any, state: State) -> Looks:
    for entry in x.fetch_ohlcv(state.symbol, next(iter(x.timeframes))):
        yield "fetchOHLCV", entry, state.symbol, x.milliseconds()


def books(x: Any, state: State) -> Looks:
    yield "fetchOrderBook", x.fetch_order_book(state.symbol), state.symbol


def tickers(x: Any, state: State) -> Looks:
    yield "fetchTicker", x.fetch_ticker(state.symbol), state.symbol


def transfers(x: Any, state: State) -> Looks:
    for entry in x.fetch_transfers(state.code):
        yield "fetchTransfers", entry, state.code


def payments(x: Any, state: State) -> Looks:
    for method in ("fetchDeposits", "fetchWithdrawals"):
        for entry in x[method](state.code):
            yield method, entry, state.code, x.milliseconds()


def funding_rates(x: Any, state: State) -> Looks:
    if x.markets[state.symbol]["swap"]:
        for entry in x.fetch_funding_rate_history(state.symbol):
            yield "fetchFundingRateHistory", entry, state.symbol


def fees(x: Any, state: State) -> Looks:
    yield "fetchTradingFee", state.symbol, x.fetch_trading_fee(state.symbol)


def accounts(x: Any, state: State) -> Looks:
    for entry in x.fetch_accounts():
        yield "fetchAccounts", entry


def currencies(x: Any, state: State) -> Looks:
    for entry in x.fetch_currencies().values():
        yield "fetchCurrencies", entry


def status(x: Any, state: State) -> Looks:
    yield "fetchStatus", x.fetch_status(), x.milliseconds()


STRUCTURES: dict[str, Callable[[Any, State], Looks]] = {
    "account": accounts,
    "balance": balances,
    "currency": currencies,
    "deposit_withdrawal": payments,
    "funding_rate_history": funding_rates,
    "ledger_entry": ledger_entries,
    "leverage_tier": leverage_tiers,
    "liquidation": liquidations,
    "margin_mode": margin_modes,
    "market": markets,
    "ohlcv": candles,
    "order": orders,
    "order_book": books,
    "position": positions,
    "status": status,
    "ticker": tickers,
    "trade": trades,
    "trading_fee": fees,
    "transfer": transfers,
}
# Looked at where the call is made, below.
ANSWERS = {"margin_modification"}
STRUCTURES_WITHOUT = {
    "borrow_interest": "the exchange charges interest to the ledger and has no loan to list",
    "borrow_rate": "the exchange charges interest to the ledger and has no loan to list",
    "last_price": "the exchange has no fetch_last_prices: tickers hold them",
    "open_interest": "there is no open interest: the market outside is not simulated",
    "shared_methods": "this is the tool box of the other checks and checks nothing itself",
}

# ---- the methods: ccxt/test/exchange/sync

METHODS: dict[str, Callable[[State], tuple[str, ...]]] = {
    "after_construct": lambda state: (),
    "features": lambda state: (),
    "fetch_accounts": lambda state: (),
    "fetch_balance": lambda state: (),
    "fetch_closed_orders": lambda state: (state.symbol,),
    "fetch_currencies": lambda state: (),
    "fetch_deposits": lambda state: (state.code,),
    "fetch_funding_rate_history": lambda state: (state.symbol,),
    "fetch_l2_order_book": lambda state: (state.symbol,),
    "fetch_ledger": lambda state: (state.code,),
    "fetch_ledger_entry": lambda state: (state.code,),
    "fetch_leverage_tiers": lambda state: (state.symbol,),
    "fetch_margin_mode": lambda state: (state.symbol,),
    "fetch_market_leverage_tiers": lambda state: (state.symbol,),
    "fetch_markets": lambda state: (),
    "fetch_my_liquidations": lambda state: (state.symbol,),
    "fetch_my_trades": lambda state: (state.symbol,),
    "fetch_ohlcv": lambda state: (state.symbol,),
    "fetch_open_orders": lambda state: (state.symbol,),
    "fetch_order_book": lambda state: (state.symbol,),
    "fetch_orders": lambda state: (state.symbol,),
    "fetch_positions": lambda state: (state.symbol,),
    "fetch_status": lambda state: (),
    "fetch_ticker": lambda state: (state.symbol,),
    "fetch_tickers": lambda state: (state.symbol,),
    "fetch_trades": lambda state: (state.symbol,),
    "fetch_trading_fee": lambda state: (state.symbol,),
    "fetch_trading_fees": lambda state: (),
    "fetch_transfers": lambda state: (state.code,),
    "fetch_withdrawals": lambda state: (state.code,),
    "load_markets": lambda state: (),
}
# It trades, so it has a test of its own below.
TRADING = {"create_order"}
METHODS_WITHOUT = {
    "fetch_borrow_interest": STRUCTURES_WITHOUT["borrow_interest"],
    "fetch_deposit_withdrawals": "deposits and withdrawals are asked for one kind at a time",
    "fetch_last_prices": STRUCTURES_WITHOUT["last_price"],
    "fetch_liquidations": "liquidations of others are not public here",
    "fetch_margin_modes": "margin modes are asked for one symbol at a time",
    "fetch_open_interest_history": STRUCTURES_WITHOUT["open_interest"],
    "fetch_order_books": "books are asked for one symbol at a time",
    "fetch_transaction_fees": "deposits and withdrawals cost nothing",
    "proxies": "the exchange opens no connection",
    "sign_in": "there is no session to sign in to",
}

DRESSES: dict[str, Callable[[Any], Any]] = {"as it is": Helped, "borrowed": Borrowed}
SPECIAL: dict[str, type[Wrapped]] = {"fetch_markets": Listed}
by_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
by_dress = pytest.mark.parametrize("dress", DRESSES)


@cache
def built(state: State) -> Any:
    """The exchange in a state, shared by the checks that only look."""
    return state.build()


def looked_at(paper: Any) -> Any:
    return {
        name: (face.snapshot(), face.fetch_ledger(), face.fetch_orders(), face.fetch_balance())
        for name in paper.accounts()
        for face in [paper.account(name)]
    }


def test_no_check_of_ccxt_is_left_out_in_silence() -> None:
    assert {*STRUCTURES, *ANSWERS, *STRUCTURES_WITHOUT} == names_of_checks("base")
    assert {*METHODS, *TRADING, *METHODS_WITHOUT} == names_of_checks("sync")


def test_what_is_left_out_is_not_offered() -> None:
    has = STATES[0].build().has
    offered = {re.sub("_(.)", lambda match: match[1].upper(), name) for name in METHODS_WITHOUT}
    assert not [name for name in offered if has.get(name)]


@by_dress
@by_state
def test_every_structure_passes_the_check_of_ccxt(state: State, dress: str) -> None:
    x = DRESSES[dress](built(state))
    wrong = []
    for name, looks in STRUCTURES.items():
        check = check_of("base", name)
        for method, *arguments in looks(x, state):
            try:
                check(x, {}, method, *arguments)
            except Exception as error:
                wrong.append((name, error))
    assert not wrong


@by_dress
@by_state
def test_every_method_passes_the_check_of_ccxt(state: State, dress: str) -> None:
    paper = built(state)
    wrong = []
    for name, arguments in METHODS.items():
        # ccxt's own way to say that an exchange knows few currencies: here those of its markets.
        skipped = {"amountOfCurrencies": True} if name == "fetch_currencies" else {}
        if name == "fetch_funding_rate_history" and not paper.markets[state.symbol]["swap"]:
            continue
        x = SPECIAL.get(name, Wrapped)(DRESSES[dress](paper))
        try:
            check_of("sync", name)(x, skipped, *arguments(state))
        except Exception as error:
            wrong.append((name, error))
    assert not wrong


@by_state
def test_looking_changes_nothing(state: State) -> None:
    paper = state.build()
    before = looked_at(paper)
    for name, looks in STRUCTURES.items():
        del name
        list(looks(paper, state))
    assert looked_at(paper) == before


# The scenario opens and closes on both sides, so it needs an account without a net position.
FLAT = ("on its way", "funded", "hedged", "liquidated", "inverse funded")
TRADES = [state for state in STATES if state.name in FLAT]


@pytest.mark.parametrize("state", TRADES, ids=lambda state: state.name)
def test_the_trading_scenario_of_ccxt_passes(state: State, capsys: pytest.CaptureFixture) -> None:
    paper = state.build()
    run_trading_scenario(paper, state.symbol)
    assert capsys.readouterr().out.count("PASSED") == 2


@pytest.mark.parametrize("method", ["add_margin", "reduce_margin"])
def test_a_change_of_margin_is_answered_as_ccxt_checks_it(method: str) -> None:
    (state,) = [state for state in STATES if state.name == "open isolated long"]
    paper = state.build()
    answer = getattr(paper, method)(state.symbol, 50)
    check_of("base", "margin_modification")(Helped(paper), {}, method, answer)
    assert answer["amount"] == 50


def test_states_hold_what_their_names_say() -> None:
    """An empty answer passes any check, so each kind of answer must be there in some state."""
    seen: dict[str, int] = dict.fromkeys(STRUCTURES, 0)
    for state in STATES:
        for name, looks in STRUCTURES.items():
            seen[name] += len(list(looks(built(state), state)))
    assert not [name for name, count in seen.items() if count == 0]


def test_a_liquidation_cannot_show_the_size_of_a_contract_and_a_price() -> None:
    """Where both are given, ccxt compares the base value with the quote value.

    So `contractSize` stands in `info`. When ccxt mends its check this fails, and it can move.
    """
    (state,) = [state for state in STATES if state.name == "liquidated"]
    paper = built(state)
    entry = paper.fetch_my_liquidations(state.symbol)[0]
    size = entry["contracts"] * entry["info"]["contractSize"]
    assert entry["baseValue"] == size
    assert entry["quoteValue"] == size * entry["price"]
    whole = {**entry, "contractSize": entry["info"]["contractSize"]}
    with pytest.raises(AssertionError, match="quoteValue == contracts"):
        check_of("base", "liquidation")(
            Helped(paper), {}, "fetchMyLiquidations", whole, state.symbol
        )


def test_the_helpers_are_those_of_ccxt() -> None:
    """Errors of the exchange are named and nested as in ccxt."""
    from leverage.paper import exchange_errors

    named = [
        kind
        for kind in vars(exchange_errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and hasattr(ccxt, kind.__name__)
    ]
    assert len(named) > 10
    for kind in named:
        theirs = getattr(ccxt, kind.__name__)
        ours = {base.__name__ for base in kind.__mro__}
        assert {base.__name__ for base in theirs.__mro__} <= ours, kind.__name__
