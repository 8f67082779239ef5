"""Everything that changes while the exchange runs: plain records, nothing that acts.

Amounts are floats in the settlement currency, sizes are contracts, times are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MARKET = "market"
FUND = "insurance fund"
FEES = "fees"
OUTSIDE = "outside"
POTS = (MARKET, FUND, FEES, OUTSIDE)

SPOT = "spot"
BY_ACCOUNT = "cancelled by the account"


@dataclass(slots=True)
class Position:
    """An open position: one direction in one symbol.

    Attributes
    ----------
    symbol : str
        Its market.
    side : int
        1 for long, -1 for short.
    contracts, entry : float
        Size and average entry price.
    leverage : float
        Chosen leverage.
    margin : float
        Isolated margin, without profit or loss; 0.0 in cross margin.
    is_isolated : bool
        Which of the two it is.
    opened : int
        When it was opened.
    carry_due : int
        When interest or a rollover falls due next; 0 if never.
    realised : float
        Booked so far: partial closes, fees, funding.
    """

    symbol: str
    side: int
    contracts: float
    entry: float
    leverage: float
    margin: float = 0.0
    is_isolated: bool = False
    opened: int = 0
    carry_due: int = 0
    realised: float = 0.0


@dataclass(slots=True)
class Order:
    """An order, from the moment it is accepted; it keeps its record when it is done.

    Attributes
    ----------
    id, client_id, account, symbol : str
        Who ordered what.
    kind : {"market", "limit"}
        What it becomes once it works.
    side : int
        1 to buy, -1 to sell.
    amount, filled : float
        Contracts wanted and got.
    price : float or None
        Limit price.
    trigger : float or None
        Price that sets it to work; for a trailing order it follows the market.
    trigger_way : int
        1 if it is set to work at or above the trigger, -1 at or below, 0 if it has none.
    trigger_on : {"last", "mark", "index"}
        Which price is watched.
    trail_amount, trail_rate : float
        Distance of a trailing trigger, as an amount or a decimal of the best price.
    best : float or None
        Best price since a trailing order became active; None before.
    reduce_only, post_only : bool
        What they say.
    time_in_force : {"GTC", "IOC", "FOK"}
        How long it stays.
    position_side : int
        In hedge mode, the position that it is about; otherwise 0.
    stop_loss, take_profit : dict or None
        What is to close what this one opens.
    attached : list of str
        Orders that do so, placed at the first fill.
    sibling : str
        Order that is cancelled when this one fills; empty if none.
    is_active : bool
        False while a trigger waits.
    status : {"open", "closed", "canceled"}
        As in ccxt.
    value, fee : float
        Sum of price times contracts of the fills, and their fees.
    created, updated : int
        Milliseconds.
    reason : str
        Why it ended, if not by a fill.
    word : str
        Type as the caller named it.
    fills : list of int
        Numbers of its trades in the list of all.
    """

    id: str
    client_id: str
    account: str
    symbol: str
    kind: str
    side: int
    amount: float
    price: float | None = None
    trigger: float | None = None
    trigger_way: int = 0
    trigger_on: str = "last"
    trail_amount: float = 0.0
    trail_rate: float = 0.0
    best: float | None = None
    reduce_only: bool = False
    post_only: bool = False
    time_in_force: str = "GTC"
    position_side: int = 0
    stop_loss: dict[str, float] | None = None
    take_profit: dict[str, float] | None = None
    sibling: str = ""
    is_active: bool = True
    status: str = "open"
    filled: float = 0.0
    value: float = 0.0
    fee: float = 0.0
    created: int = 0
    updated: int = 0
    reason: str = ""
    word: str = ""
    fills: list[int] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> float:
        """Contracts still wanted."""
        return max(round(self.amount - self.filled, 12), 0.0)

    @property
    def is_trailing(self) -> bool:
        """Whether its trigger follows the market."""
        return self.trail_amount > 0 or self.trail_rate > 0


@dataclass(slots=True)
class Trade:
    """One fill of an account.

    Attributes
    ----------
    id, order, account, symbol : str
        What it belongs to; `order` is empty for a forced close.
    time, side : int
        When, and 1 for a purchase or -1 for a sale.
    price, contracts, fee, realised : float
        What was paid for how much, and what was booked.
    is_maker : bool
        Whether it rested in the book.
    kind : {"fill", "liquidation", "auto-deleveraging"}
        Why it happened.
    """

    id: str
    order: str
    account: str
    symbol: str
    time: int
    side: int
    price: float
    contracts: float
    fee: float
    realised: float
    is_maker: bool
    kind: str = "fill"


@dataclass(slots=True)
class Posting:
    """One move of money from one pot to another; nothing else moves money.

    Attributes
    ----------
    id : int
        Number of the posting, from 1.
    time : int
        Milliseconds.
    code : str
        Currency.
    source, target : str
        Pots: ``"main/swap"`` for a wallet, ``"market"``, ``"insurance fund"``, ``"fees"`` or
        ``"outside"``.
    amount : float
        What moved, positive.
    source_after, target_after : float
        What the pots held then.
    cause, symbol, reference : str
        Why, in which market, and the trade or order it belongs to.
    """

    id: int
    time: int
    code: str
    source: str
    target: str
    amount: float
    source_after: float
    target_after: float
    cause: str
    symbol: str = ""
    reference: str = ""


@dataclass(slots=True)
class Event:
    """Something that happened to an account or a market without a call.

    Attributes
    ----------
    id, time : int
        Number from 1, and milliseconds.
    kind, account, symbol, message : str
        What, to whom, where, and the sentence that says so.
    numbers : dict
        The numbers that decided.
    """

    id: int
    time: int
    kind: str
    account: str
    symbol: str
    message: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Liquidation:
    """A forced close.

    Attributes
    ----------
    time : int
        Milliseconds.
    account, symbol : str
        Whose position, where.
    side : int
        1 if a long was closed, -1 for a short.
    contracts, price, bankruptcy_price : float
        How much, the mark at which, and the price at which nothing would have been left.
    is_partial : bool
        Whether something of the position stayed open.
    """

    time: int
    account: str
    symbol: str
    side: int
    contracts: float
    price: float
    bankruptcy_price: float
    is_partial: bool


@dataclass(slots=True)
class Account:
    """An account: settings and positions. Its money is in the pots.

    Attributes
    ----------
    name : str
        What it is called.
    signed_up, verified, margin_enabled, hedged : bool
        How far it has come, and its position mode.
    leverage : dict of str to float
        Chosen leverage by symbol.
    isolated : dict of str to bool
        Margin mode by symbol.
    positions : dict of str to Position
        By symbol and side, ``"BTC/USDT:USDT long"``.
    called : dict of str to bool
        By what was called: whether a margin call stands.
    """

    name: str
    signed_up: bool = False
    verified: bool = False
    margin_enabled: bool = False
    hedged: bool = False
    leverage: dict[str, float] = field(default_factory=dict)
    isolated: dict[str, bool] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    called: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Prices:
    """The three prices of a symbol now."""

    last: float
    mark: float
    index: float


@dataclass(slots=True)
class State:
    """The whole exchange at a moment.

    Attributes
    ----------
    row, now : int
        Row of the tape and time in milliseconds.
    prices : dict of str to Prices
        By symbol.
    accounts : dict of str to Account
        By name.
    pots : dict of str to float
        Money by currency and pot, ``"USDT main/swap"``.
    flows : dict of str to float
        Sums by currency: ``"USDT in"`` from outside, ``"USDT out"``, and ``"USDT moved"``.
    orders, working : dict of str to Order
        All orders by id, and those that are open.
    client_ids : dict of str to str
        Order ids by account and the client's id.
    trades, postings, events, liquidations : list
        What happened, oldest first.
    rates : dict of str to list of (int, float)
        Funding settled by symbol: time and rate.
    funding_due : dict of str to int
        When funding falls due next, by symbol.
    """

    row: int = 0
    now: int = 0
    prices: dict[str, Prices] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    pots: dict[str, float] = field(default_factory=dict)
    flows: dict[str, float] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    working: dict[str, Order] = field(default_factory=dict)
    client_ids: dict[str, str] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    liquidations: list[Liquidation] = field(default_factory=list)
    rates: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    funding_due: dict[str, int] = field(default_factory=dict)


def position_key(symbol: str, side: int) -> str:
    """Key of a position in its account.

    Examples
    --------
    >>> position_key("BTC/USDT:USDT", -1)
    'BTC/USDT:USDT short'
    """
    return f"{symbol} {'long' if side > 0 else 'short'}"
