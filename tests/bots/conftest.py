"""A paper market that moves as a test wants it, and an exchange of ccxt that answers from memory."""

import copy

import ccxt
import pytest

from leverage.paper import PaperExchange

HOUR = 3_600_000
START = 1_722_729_600_000
SYMBOL = "BTC/USDT:USDT"


def bars_through(*closes, first=START, length=HOUR):
    """Give bars that go straight from close to close."""
    rows, before = [], closes[0]
    for number, close in enumerate(closes):
        high, low = max(before, close), min(before, close)
        rows.append([first + number * length, before, high, low, close, 1.0])
        before = close
    return rows


@pytest.fixture
def paper():
    def new(*closes, balance=10_000, leverage=None, **rules):
        exchange = PaperExchange(bars_through(*closes), venue="binance", balance=balance, **rules)
        if leverage:
            exchange.set_leverage(leverage, SYMBOL)
        return exchange

    return new


class RecordedExchange(ccxt.binanceusdm):
    """ccxt's own exchange class: its market, precision and error classes, and recorded answers.

    No method reaches a network: `fetch`, through which every request of ccxt goes, refuses.
    """

    def __init__(self, closes, *, equity=10_000.0, position=None):
        super().__init__()
        self.rows = bars_through(*closes)
        self.equity, self.position = equity, position
        self.orders, self.cancelled, self.requests = [], [], []
        market = self.safe_market_structure(
            {
                "id": "BTCUSDT",
                "symbol": SYMBOL,
                "base": "BTC",
                "quote": "USDT",
                "settle": "USDT",
                "type": "swap",
                "swap": True,
                "contract": True,
                "linear": True,
                "inverse": False,
                "contractSize": 1.0,
                "precision": {"amount": 0.001, "price": 0.1},
                "limits": {"amount": {"min": 0.001}, "cost": {"min": 5.0}},
            }
        )
        self.set_markets([market])

    def fetch(self, url, method="GET", headers=None, body=None):
        raise AssertionError(f"a test must not reach {url}")

    def fetch_ticker(self, symbol, params=None):
        row = self.rows[-1]
        return self.safe_ticker({"symbol": symbol, "timestamp": row[0] + HOUR - 1, "last": row[4]})

    def fetch_ohlcv(self, symbol, timeframe="1h", since=None, limit=None, params=None):
        return copy.deepcopy(self.rows[-limit:] if limit else self.rows)

    def fetch_funding_rate(self, symbol, params=None):
        return {"symbol": symbol, "fundingRate": 0.0001}

    def fetch_balance(self, params=None):
        return self.safe_balance({"USDT": {"total": self.equity, "used": 0.0}})

    def fetch_positions(self, symbols=None, params=None):
        return [self.safe_position(self.position)] if self.position else []

    def fetch_open_orders(self, symbol=None, since=None, limit=None, params=None):
        return [row for row in self.orders if row["status"] == "open"]

    def fetch_closed_orders(self, symbol=None, since=None, limit=None, params=None):
        return [row for row in self.orders if row["status"] == "closed"]

    def create_order(self, symbol, type, side, amount, price=None, params=None):
        params = params or {}
        self.requests.append((type, side, amount, price, params))
        if any(row["clientOrderId"] == params["clientOrderId"] for row in self.orders):
            raise ccxt.DuplicateOrderId("clientOrderId is duplicated")
        if side == "sell" and params.get("reduceOnly") and not self.position:
            raise ccxt.InvalidOrder("ReduceOnly Order is rejected")
        order = self.safe_order(
            {
                "id": str(len(self.orders) + 1),
                "clientOrderId": params["clientOrderId"],
                "symbol": symbol,
                "type": type,
                "side": side,
                "amount": amount,
                "filled": 0.0 if price else amount,
                "price": price,
                "triggerPrice": params.get("stopLossPrice"),
                "reduceOnly": params.get("reduceOnly"),
                "status": "open" if price or params.get("stopLossPrice") else "closed",
                "timestamp": self.rows[-1][0] + HOUR - 1,
                "trades": [],
            }
        )
        self.orders.append(order)
        return order

    def cancel_order(self, id, symbol=None, params=None):
        for row in self.orders:
            if row["id"] == id:
                row["status"] = "canceled"
        self.cancelled.append(id)
        return {"id": id}


@pytest.fixture
def recorded():
    return RecordedExchange
