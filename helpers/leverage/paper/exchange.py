"""The paper exchange itself: how it is made, the steps of an account, and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from math import inf, isfinite
from pathlib import Path
from typing import Any, Self

from leverage._validate import JUMP, warn_of_per_cent
from leverage.bars import MINUTE, begin_of, timeframe_of
from leverage.paper import ledger, order_desk, saving
from leverage.paper.account_orders import AccountOrders
from leverage.paper.closing import ranking
from leverage.paper.engine import Engine
from leverage.paper.exchange_errors import BadRequest, BaseError, NoChange, PermissionDenied
from leverage.paper.face import Params
from leverage.paper.fills import book_price, scratch, settle
from leverage.paper.formats import as_milliseconds, iso
from leverage.paper.funding import Funding, check_dates, needs_interval, read_funding
from leverage.paper.instruments import Market
from leverage.paper.market_data import MarketData
from leverage.paper.market_rules import Rules, venue_rules
from leverage.paper.market_setup import (
    base_of,
    feed_reader,
    instrument_for,
    is_frame,
    other_feeds,
    symbol_of,
)
from leverage.paper.order_desk import Ticket
from leverage.paper.replies import WAYS, end_prices, position_dict, transaction_dict
from leverage.paper.settings import Settings
from leverage.paper.shorthands import Shorthands
from leverage.paper.state import FUND, OUTSIDE, SPOT, Account, Posting, position_key
from leverage.paper.tape import checked_path, make_tape
from leverage.paper.wallets import Wallets
from leverage.paper.world import World

MAIN = "main"
UNITS = ("tick", "bar")


class PaperExchange(MarketData, Wallets, Settings, Shorthands):
    """A crypto exchange on replayed history, spoken to as ccxt speaks to real ones.

    It trades on paper: nothing leaves the process. Every account trades against *the market*, which
    is an account of its own: profits come out of it, losses go into it.

    Parameters
    ----------
    bars : feed, or mapping of symbol to feed
        Traded prices, as :func:`leverage.bars.read_bars` takes them.
    venue : str, default "binance"
        Venue whose rules hold, as in :func:`leverage.venues.load_venue`.
    product : str, optional
        Product of the venue; its main one if left out.
    on : date or str, optional
        Day whose rules hold; the newest if left out.
    rules : Rules, optional
        Rules of no venue, instead of `venue`.
    overrides : mapping of str to value, optional
        Facts to take instead of the venue's.
    mark, index : feed, or mapping of symbol to feed, optional
        Mark and index prices with the same time stamps; the traded price if left out.
    funding : number, FundingModel, list of (time, rate), or mapping by symbol, optional
        Funding as a decimal for an interval; none is charged if left out.
    markets : mapping of symbol to Market, optional
        Steps and limits of orders.
    balance : number or mapping of code to number, optional
        Money of the account ``"main"``, which is then ready to trade. If left out, ``"main"`` must
        sign up, verify, deposit and enable margin itself.
    insurance_fund : number or mapping of code to number, default 0.0
        What the insurance fund starts with.
    spread : float, default 0.0
        Decimal of the price between buying and selling.
    liquidity : float, default inf
        Contracts at each level of the book, one tick apart, and for a resting order at each tick.
        The book is full again for the next order, also within one moment.
    path : {"auto", "OLHC", "OHLC"}, default "auto"
        Which extreme of a bar comes first; by default its low if it closes at or above its open.
    ticks : bool, default False
        Whether feeds are rows of time stamp and price. Between ticks the price jumps.
    timeframe : str, optional
        What a bar of every feed lasts, such as ``"1h"``; the most frequent step if left out.

    Within one millisecond, costs that fall due are settled first, on the mark; then positions that
    do not keep their requirement are closed; then orders fill.

    Where bars are missing the market is closed: nothing fills and nobody is liquidated. Orders that
    rest can be cancelled in the last tick before it reopens, and nothing can be ordered.

    Raises
    ------
    BadFeed
        If prices are not ones that a market can have had, or no dated funding falls among them.
    UnknownFactError
        If a fact that the exchange cannot do without is unknown.

    Examples
    --------
    A long of 0.1 BTC at 10x is liquidated inside the second hour, where its price was computed:

    >>> hours = [[0, 50_000, 50_000, 50_000, 50_000, 1],
    ...          [3_600_000, 50_000, 50_500, 44_000, 44_500, 9]]
    >>> exchange = PaperExchange(hours, balance=1_000)
    >>> exchange.set_margin_mode("isolated", "BTC/USDT:USDT")["marginMode"]
    'isolated'
    >>> _ = exchange.set_leverage(10, "BTC/USDT:USDT")
    >>> _ = exchange.create_order("BTC/USDT:USDT", "market", "buy", 0.1)
    >>> round(exchange.fetch_position("BTC/USDT:USDT")["liquidationPrice"], 2)
    45180.72
    >>> exchange.run_until()
    7
    >>> round(exchange.fetch_my_liquidations()[0]["price"], 2)
    45180.72
    """

    _parts = (MarketData, Wallets, Settings, AccountOrders, Shorthands)

    def __init__(
        self,
        bars: Any,
        *,
        venue: str = "binance",
        product: str | None = None,
        on: Any = None,
        rules: Rules | None = None,
        overrides: Mapping[str, Any] | None = None,
        mark: Any = None,
        index: Any = None,
        funding: Funding = None,
        markets: Mapping[str, Market] | None = None,
        balance: float | Mapping[str, float] | None = None,
        insurance_fund: float | Mapping[str, float] = 0.0,
        spread: float = 0.0,
        liquidity: float = inf,
        path: str = "auto",
        ticks: bool = False,
        timeframe: str | None = None,
    ) -> None:
        feeds = dict(bars) if isinstance(bars, Mapping) and not is_frame(bars) else {None: bars}
        if not feeds:
            raise BadRequest("bars must hold at least one feed, was empty; give {symbol: feed}")
        assets = tuple(base_of(symbol) for symbol in feeds)
        if rules is None:
            rules = venue_rules(
                venue,
                product,
                on=on,
                assets=assets,
                overrides=overrides,
                needs_interval=needs_interval(funding),
            )
        elif overrides:
            raise BadRequest("overrides are for the rules of a venue; change your Rules instead")
        names = [symbol or symbol_of("BTC", rules) for symbol in feeds]
        if not 0 <= spread < 1:
            raise BadRequest(f"spread must be from 0 to below 1, was {spread}; 0.0002 is 0.02 %")
        warn_of_per_cent("spread", spread, JUMP)
        if not liquidity > 0:
            raise BadRequest(f"liquidity must be positive, was {liquidity}")
        reader = feed_reader(ticks, timeframe)
        last = {
            name: reader(feed, f"bars of {name}")
            for name, feed in zip(names, feeds.values(), strict=True)
        }
        others = {
            kind: other_feeds(kind, feed, names, reader)
            for kind, feed in (("mark", mark), ("index", index))
        }
        strange = sorted(set(markets or {}) - set(names))
        if strange:
            raise BadRequest(f"markets must be for symbols of bars, was for {', '.join(strange)}")
        instruments = {
            name: instrument_for(name, rules, (markets or {}).get(name), last[name])
            for name in names
        }
        world = World(
            rules=rules,
            instruments=instruments,
            tape=make_tape(last, others["mark"], others["index"], checked_path(path)),
            funding=read_funding(funding, tuple(names), rules.funding_interval_hours),
            spread=float(spread),
            liquidity=float(liquidity),
        )
        check_dates(world.funding, int(world.tape.time[0]), int(world.tape.time[-1]))
        engine = Engine(world)
        engine.begin()
        self._bind(world, engine, MAIN)
        for code, amount in self._amounts(insurance_fund).items():
            if amount:
                ledger.move(world.state, OUTSIDE, FUND, code, amount, "deposit")
        if balance is not None:
            self.open_account(MAIN, balance)

    def _amounts(self, amounts: float | Mapping[str, float]) -> dict[str, float]:
        """Read money by currency; a number is in the settlement currency of the first market."""
        if not isinstance(amounts, Mapping):
            code = next(iter(self._world.instruments.values())).settle
            amounts = {code: amounts}
        for code, amount in amounts.items():
            if code not in self.currencies:
                raise BadRequest(f"code must be one of {', '.join(self.currencies)}, was {code!r}")
            if isinstance(amount, bool) or not (isfinite(amount) and amount >= 0):
                raise BadRequest(f"an amount of {code} must be zero or more, was {amount!r}")
        return {code: float(amount) for code, amount in amounts.items()}

    # ---- paper only: accounts

    def account(self, name: str = MAIN) -> PaperExchange:
        """Face of another account on the same market; it must sign up if it is new."""
        if not isinstance(name, str) or not name or "/" in name or " " in name:
            raise BadRequest(f"name must be text without spaces and slashes, was {name!r}")
        face = object.__new__(type(self))
        face._bind(self._world, self._engine, name)
        return face

    def accounts(self) -> list[str]:
        """Names of the accounts that have signed up."""
        return list(self._world.state.accounts)

    def sign_up(self) -> dict[str, Any]:
        """Open the account: step one of a beginner."""
        if self._name in self._world.state.accounts:
            raise NoChange(f"{self._name!r} has signed up already")
        self._world.state.accounts[self._name] = Account(self._name, signed_up=True)
        return self.fetch_steps()

    def verify(self) -> dict[str, Any]:
        """Prove who you are, on paper; without it nothing can be deposited."""
        account = self._account()
        if account.verified:
            raise NoChange(f"{self._name!r} is verified already")
        account.verified = True
        return self.fetch_steps()

    def enable_margin(self) -> dict[str, Any]:
        """Switch trading with leverage on."""
        account = self._account()
        if not account.verified:
            raise PermissionDenied(f"{self._name!r} is not verified; call verify() first")
        if account.margin_enabled:
            raise NoChange(f"margin trading is enabled for {self._name!r} already")
        account.margin_enabled = True
        return self.fetch_steps()

    def fetch_steps(self) -> dict[str, Any]:
        """Tell how far the account has come."""
        account = self._account()
        return {
            "account": account.name,
            "signed_up": account.signed_up,
            "verified": account.verified,
            "margin_enabled": account.margin_enabled,
        }

    def deposit(self, code: str, amount: float, wallet: str = SPOT) -> dict[str, Any]:
        """Bring money in from outside.

        Parameters
        ----------
        code : str
            Currency.
        amount : float
            How much. Positive.
        wallet : str, default "spot"
            Where to; ``"swap"`` (or ``"margin"``) saves the transfer.

        Returns
        -------
        dict
            ccxt's deposit structure.
        """
        account = self._account()
        if not account.verified:
            raise PermissionDenied(f"{self._name!r} is not verified; call verify() first")
        value = self._money(code, amount)
        pot = self._world.pot(account, self._wallet(wallet))
        ledger.move(self._world.state, OUTSIDE, pot, code, value, "deposit")
        self._world.touch()
        return transaction_dict(self._world.state.postings[-1])

    def open_account(self, name: str, balance: float | Mapping[str, float]) -> PaperExchange:
        """Take all steps at once: a verified account with money in its trading wallet.

        Parameters
        ----------
        name : str
            Name of the account. It must be new.
        balance : number or mapping of code to number
            Money; a number is in the settlement currency of the first market.

        Returns
        -------
        PaperExchange
            Face of the account.
        """
        amounts = self._amounts(balance)
        face = self.account(name)
        face.sign_up()
        face.verify()
        face.enable_margin()
        for code, amount in amounts.items():
            if amount:
                face.deposit(code, amount, self._world.wallet)
        return face

    # ---- paper only: the clock

    @property
    def now(self) -> int:
        """Time on the exchange, in milliseconds."""
        return self._world.state.now

    @property
    def end(self) -> int:
        """Time of the last tick of the history, in milliseconds."""
        return int(self._world.tape.time[-1])

    @property
    def bar(self) -> int:
        """Bars of the first symbol that are complete."""
        track = next(iter(self._world.tape.tracks.values()))
        number = int(track.bar[self._world.state.row])
        end = int(track.bars.time[number]) + max(track.bars.length - 1, 0)
        return number + (self._world.state.now >= end)

    @property
    def is_finished(self) -> bool:
        """Whether the history has come to its end."""
        return self._world.state.row >= self._engine.last_row

    def timeframe_of(self, symbol: str) -> str:
        """Timeframe of a market's own bars; a minute for ticks."""
        return timeframe_of(self._world.tracks_length(self._symbol(symbol)) or MINUTE)

    def step(
        self,
        count: int = 1,
        unit: str = "tick",
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
    ) -> int:
        """Let time pass.

        Parameters
        ----------
        count : int, default 1
            How many ticks or bars.
        unit : {"tick", "bar"}, default "tick"
            ``"bar"`` goes to the close of a bar, also of one that is missing.
        symbol : str, optional
            Whose bars; those of the first symbol if left out.
        timeframe : str, optional
            Bars to count, as `fetch_ohlcv` takes it; the symbol's own if left out.

        Returns
        -------
        int
            Ticks passed; 0 at the end of the history.
        """
        if unit not in UNITS:
            raise BadRequest(f"unit must be 'tick' or 'bar', was {unit!r}")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise BadRequest(f"count must be a whole number from 1, was {count!r}")
        row = self._world.state.row
        if unit == "tick":
            return self._engine.run(row + count)
        symbol = next(iter(self.markets)) if symbol is None else self._symbol(symbol)
        begin, length = self._engine.grids[symbol]
        if timeframe is not None and self._length(symbol, timeframe) != length:
            # Longer bars are made of those within the hours that start at multiples of them.
            length = self._length(symbol, timeframe)
            begin = begin_of(length)
        return self._engine.run(self._engine.row_of_close(count, begin, length))

    def run_until(self, when: Any = None) -> int:
        """Let time pass up to a moment.

        Parameters
        ----------
        when : int, str, datetime or Timestamp, optional
            Last moment to pass; the end of the history if left out.

        Returns
        -------
        int
            Ticks passed.

        Raises
        ------
        BadRequest
            If it is in the past.
        """
        if when is None:
            return self._engine.run(self._engine.last_row)
        moment = as_milliseconds(when)
        if moment < self.now:
            raise BadRequest(
                f"time cannot run backwards: it is {iso(self.now)}, was asked for {iso(moment)}"
            )
        return self._engine.run(self._engine.row_at(moment))

    def is_open(self, symbol: str) -> bool:
        """Whether a symbol trades now; False in an outage."""
        return self._world.is_open(self._symbol(symbol))

    def last_price(self, symbol: str) -> float:
        """Last traded price."""
        return self._world.state.prices[self._symbol(symbol)].last

    def mark_price(self, symbol: str) -> float:
        """Mark price."""
        return self._world.state.prices[self._symbol(symbol)].mark

    def index_price(self, symbol: str) -> float:
        """Index price."""
        return self._world.state.prices[self._symbol(symbol)].index

    # ---- paper only: looking closer

    @property
    def rules(self) -> Rules:
        """Rules that hold on this market."""
        return self._world.rules

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is not known about the venue, and what is done instead."""
        return self._world.rules.assumptions

    def insurance_fund(self, code: str) -> float:
        """Money of the insurance fund."""
        return ledger.balance(self._world.state, FUND, code)

    def check_ledger(self) -> dict[str, dict[str, float]]:
        """Add up the money of every currency; see :func:`leverage.paper.ledger.ledger_sums`."""
        return ledger.ledger_sums(self._world.state)

    def postings(self) -> list[dict[str, Any]]:
        """Every move of money of all accounts, oldest first."""
        names = {"time": "timestamp", "code": "currency"}
        shown = [(item.name, names.get(item.name, item.name)) for item in fields(Posting)]
        postings = self._world.state.postings
        return [{name: getattr(one, own) for own, name in shown} for one in postings]

    @property
    def last_posting(self) -> int:
        """Number of the newest posting: a mark from which `flows` counts."""
        return len(self._world.state.postings)

    def flows(self, code: str, *, since: int = 0) -> dict[str, float]:
        """Money that came into the trading wallet (positive) or left it, by cause.

        Parameters
        ----------
        code : str
            Currency.
        since : int, default 0
            Number of the posting after which to count, as `last_posting` gave it.

        Returns
        -------
        dict
            Sums by cause; ``"trade"`` is the realised profit of price. They add up to the change of
            the wallet's cash.
        """
        pot = self._world.pot(self._account())
        sums: dict[str, float] = {}
        for posting in self._world.state.postings[since:]:
            way = (posting.target == pot) - (posting.source == pot)
            if way and posting.code == code:
                sums[posting.cause] = sums.get(posting.cause, 0.0) + way * posting.amount
        return sums

    def events(self, since_id: int = 0) -> list[dict[str, Any]]:
        """Give what happened to this account or the market without a call, after an event's id."""
        return [
            {
                "id": event.id,
                "timestamp": event.time,
                "datetime": iso(event.time),
                "kind": event.kind,
                "account": event.account or None,
                "symbol": event.symbol or None,
                "message": event.message,
                "numbers": dict(event.numbers),
            }
            for event in self._world.state.events[since_id:]
            if event.account in ("", self._name)
        ]

    def equity(self, code: str | None = None) -> float:
        """Equity of the trading wallet, isolated positions included."""
        return self._totals(code)[0]

    def requirement(self, code: str | None = None) -> float:
        """Sum of the requirements of all positions."""
        return self._totals(code)[1]

    def margin_ratio(self, code: str | None = None) -> float:
        """Give the requirement of the cross positions over their equity; liquidation comes at 1."""
        equity, need = self._world.standing(
            self._world.cross_group(self._account(), self._code(code))
        )
        return need / equity if equity > 0 else (inf if need else 0.0)

    def margin_level(self, code: str | None = None) -> float:
        """Equity over used margin of the cross positions; ``inf`` without any."""
        group = self._world.cross_group(self._account(), self._code(code))
        used = self._world.used(group)
        return self._world.standing(group)[0] / used if used else inf

    def _code(self, code: str | None) -> str:
        return code or next(iter(self._world.instruments.values())).settle

    def _totals(self, code: str | None) -> tuple[float, float]:
        account, name = self._account(), self._code(code)
        groups = [s for s in self._world.margin_groups(account) if s.is_isolated and s.code == name]
        groups.append(self._world.cross_group(account, name))
        sums = [self._world.standing(group) for group in groups]
        return sum(equity for equity, _ in sums), sum(need for _, need in sums)

    def adl_ranking(self, symbol: str, side: str) -> list[str]:
        """Accounts with a position on a side, in the order in which they would be deleveraged."""
        way = {"long": 1, "short": -1}[side]
        ranked = ranking(self._world, self._symbol(symbol), way, "")
        return [account.name for account, _ in ranked]

    def snapshot(self) -> dict[str, Any]:
        """Everything a trading screen shows, in one dict."""
        account, world = self._account(), self._world
        code = self._code(None)
        group = world.cross_group(account, code)
        equity, need = self._totals(code)
        used = world.used(group)
        return {
            "now": self.now,
            "datetime": iso(self.now),
            "is_finished": self.is_finished,
            "prices": {
                symbol: {**asdict(prices), "open": world.is_open(symbol)}
                for symbol, prices in world.state.prices.items()
            },
            "code": code,
            "balance": world.cash(account, code),
            "equity": equity,
            "requirement": need,
            "used": used + world.isolated_margin(account, code),
            "order_margin": world.order_margin(account, code),
            "free": max(world.free(account, code), 0.0),
            "margin_ratio": self.margin_ratio(code),
            "margin_level": self.margin_level(code),
            "positions": [
                position_dict(world, account, position) for position in account.positions.values()
            ],
            "open_orders": self.fetch_open_orders(),
            "events": len(world.state.events),
        }

    def preview_order(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float,
        price: float | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Say what an order would cost and do, and what stands against it; nothing changes.

        Returns
        -------
        dict
            ``price``, ``notional``, ``margin``, ``fee``, ``cost`` (margin and fee), ``free`` before
            and ``free_after``, ``leverage``, ``liquidation_price`` and ``bankruptcy_price`` after
            the fill (None if there is none), ``position_after``, ``triggers_at``, ``refusals``.
            An order that cannot be read has only ``refusals``.
        """
        try:
            ticket = self._ticket(symbol, type, side, amount, price, params)
        except BaseError as error:
            return {"refusals": [_refusal(error)]}
        found = order_desk.refusals(self._world, ticket)
        return {**self._outlook(ticket), "refusals": [_refusal(error) for error in found]}

    def _outlook(self, ticket: Ticket) -> dict[str, Any]:
        world, account, order = self._world, ticket.account, ticket.order
        instrument, rules = ticket.instrument, world.rules
        code = instrument.settle
        fill_price = ticket.price
        if (
            order.price is not None
            and not order.trigger_way
            and order_desk.taken_at_once(world, order)
        ):
            fill_price = book_price(world, order.symbol, order.side, order.amount)
        rests = order.price is not None and not order_desk.taken_at_once(world, order)
        rate = rules.maker_fee_rate if rests else rules.taker_fee_rate
        opening = world.opening_part(account, order)
        leverage = world.leverage(account, order.symbol)
        margin = instrument.value(opening, fill_price) / leverage
        fee = instrument.value(order.amount, fill_price) * rate
        free = world.free(account, code)
        trial, holder = scratch(world, account)
        settle(
            trial,
            holder,
            order.symbol,
            order.side,
            order.amount,
            fill_price,
            fee_rate=rate,
            position_side=order.position_side,
        )
        after = holder.positions.get(
            position_key(order.symbol, order.position_side or order.side)
        ) or holder.positions.get(position_key(order.symbol, -order.side))
        outlook: dict[str, Any] = {
            "symbol": order.symbol,
            "amount": order.amount,
            "price": fill_price,
            "triggers_at": order.trigger,
            "notional": instrument.value(order.amount, fill_price),
            "margin": margin,
            "fee": fee,
            "cost": margin + fee,
            "currency": code,
            "free": max(free, 0.0),
            "free_after": trial.free(holder, code),
            "leverage": leverage,
            "margin_mode": "isolated" if world.is_isolated(account, order.symbol) else "cross",
            "liquidation_price": None,
            "bankruptcy_price": None,
            "position_after": None,
        }
        if after is not None:
            outlook["liquidation_price"], outlook["bankruptcy_price"] = end_prices(
                trial, holder, after
            )
            outlook["position_after"] = {
                "side": WAYS[after.side],
                "contracts": after.contracts,
                "entry_price": after.entry,
            }
        return outlook

    # ---- paper only: saving

    def save(self, path: str | Path) -> None:
        """Write the whole run to one file, feed and all; an existing file is replaced at once."""
        saving.write_run(self._world, self._name, Path(path))

    def digest(self) -> str:
        """Fingerprint of everything that changes: equal for equal states."""
        return saving.state_digest(self._world.state)

    @classmethod
    def resume(cls, path: str | Path) -> Self:
        """Read a saved run and go on exactly where it stood.

        Raises
        ------
        UnreadableSave
            If the file is not a whole saved run of this version.
        """
        world, name = saving.read_run(Path(path))
        face = object.__new__(cls)
        face._bind(world, Engine(world), name)
        return face


def _refusal(error: BaseError) -> dict[str, str]:
    return {"error": type(error).__name__, "message": str(error)}
