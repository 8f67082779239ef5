"""A venue in memory behind ccxt's own classes: only the wire is replaced.

ccxt makes, signs and sends each request and reads each answer with its own code; `fetch`, through
which all of them go, is answered here. The answers have the shape of Binance's documented ones, as
ccxt 4.5.90 quotes them beside its parsers, with the prices of a test. Nothing reaches a network.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

import ccxt

HOUR = 3_600_000


class RecordedVenue:
    """What both of Binance's contract markets have in common.

    Market orders fill at once at the last close, limit orders and triggers wait. `lose_answers`
    lets that many orders arrive whose answer is lost on the way back.
    """

    wire = ""
    market_id = ""
    contract: Mapping[str, object] = MappingProxyType({})

    def __init__(self, bars, *, equity=10_000.0, quantity=0.0, entry=0.0, lose_answers=0):
        super().__init__({"apiKey": "none", "secret": "none", "enableRateLimit": False})
        self.options["fetchCurrencies"] = False
        self.has["fetchCurrencies"] = False
        self.bars, self.equity = bars, equity
        self.quantity, self.entry = quantity, entry
        self.lose_answers = lose_answers
        self.book, self.triggers, self.sent = [], [], []
        self.load_markets()

    # ---- the wire

    def milliseconds(self):
        return int(self.bars[-1][0]) + HOUR - 1

    @property
    def last(self):
        return float(self.bars[-1][4])

    def fetch(self, url, method="GET", headers=None, body=None):
        split = urlsplit(url)
        path = split.path.removeprefix(f"/{self.wire}/").split("/", 1)[1]
        query = dict(parse_qsl(body or split.query))
        words = re.sub("([A-Z])", r"_\1", path.replace("/", "_")).lower()
        answer = getattr(self, f"{method.lower()}_{words}", None)
        assert answer is not None, f"nothing is recorded for {method} {url}"
        code, found = answer(query)
        text = json.dumps(found)
        reason = "OK" if code == 200 else "Bad Request"
        self.handle_errors(code, reason, url, method, {}, text, found, headers, body)
        if method == "POST" and self.lose_answers:
            self.lose_answers -= 1
            raise ccxt.RequestTimeout("the answer was lost")
        return json.loads(text)

    # ---- public answers

    def get_exchange_info(self, query):
        filters = [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.1",
                "maxPrice": "900000",
                "tickSize": "0.1",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": self.step,
                "maxQty": "1000",
                "stepSize": self.step,
            },
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ]
        row = {
            "symbol": self.market_id, "contractType": "PERPETUAL", "baseAsset": "BTC", "baseAssetPrecision": 8, "quotePrecision": 8,
            "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "filters": filters,
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"], **self.contract,
        }  # fmt: skip
        return 200, {"symbols": [row]}

    def get_ticker_24hr(self, query):
        row = {
            "symbol": self.market_id,
            "lastPrice": str(self.last),
            "closeTime": self.milliseconds(),
        }
        return 200, [row] if self.wire == "dapi" else row

    def get_klines(self, query):
        rows = self.bars[-int(query["limit"]) :]
        return 200, [
            [int(row[0]), *map(str, row[1:6]), int(row[0]) + HOUR - 1, "0", 0, "0", "0", "0"]
            for row in rows
        ]

    def get_premium_index(self, query):
        row = {"symbol": self.market_id, "markPrice": str(self.last), "lastFundingRate": "0.0001",
               "nextFundingTime": 0, "time": self.milliseconds()}  # fmt: skip
        return 200, [row] if self.wire == "dapi" else row

    # ---- private answers

    def get_account(self, query):
        row = {"asset": self.settles_in, "marginBalance": str(self.equity), "initialMargin": "0",
               "availableBalance": str(self.equity), "updateTime": self.milliseconds()}  # fmt: skip
        return 200, {"assets": [row]}

    def get_leverage_bracket(self, query):
        bracket = {"bracket": 1, "initialLeverage": 125, "notionalFloor": 0, "maintMarginRatio": 0.004,
                   "qtyFloor": 0}  # fmt: skip
        return 200, [{"symbol": self.market_id, "brackets": [bracket]}]

    def get_position_risk(self, query):
        value = self.quantity * self.last
        row = {"symbol": self.market_id, "positionSide": "BOTH", "positionAmt": str(self.quantity),
               "entryPrice": str(self.entry), "markPrice": str(self.last), "leverage": "20",
               "unRealizedProfit": "0", "liquidationPrice": "0", "isolatedMargin": "0",
               "marginType": "cross", "isolatedWallet": "0", "updateTime": self.milliseconds(),
               self.value_key: str(value)}  # fmt: skip
        return 200, [row]

    def get_open_orders(self, query):
        return 200, [row for row in self.book if row["status"] == "NEW"]

    def get_open_algo_orders(self, query):
        return 200, [row for row in self.triggers if row["algoStatus"] == "NEW"]

    def get_all_orders(self, query):
        return 200, list(self.book)

    def get_all_algo_orders(self, query):
        return 200, list(self.triggers)

    def post_order(self, query):
        self.sent.append(query)
        identity, amount = query["newClientOrderId"], float(query["quantity"])
        if any(row["clientOrderId"] == identity and row["status"] == "NEW" for row in self.book):
            return 400, {"code": -4116, "msg": "ClientOrderId is duplicated."}
        closing = query.get("reduceOnly") == "true"
        if closing and self.quantity * (1 if query["side"] == "SELL" else -1) <= 0:
            return 400, {"code": -2022, "msg": "ReduceOnly Order is rejected."}
        filled = query["type"] == "MARKET"
        if filled:
            self.quantity += amount if query["side"] == "BUY" else -amount
            self.entry = self.last
        row = {"orderId": len(self.book) + 1, "symbol": self.market_id, "clientOrderId": identity,
               "status": "FILLED" if filled else "NEW", "price": query.get("price", "0"),
               "origQty": query["quantity"], "executedQty": query["quantity"] if filled else "0",
               "type": query["type"], "side": query["side"], "reduceOnly": closing,
               "stopPrice": "0", "time": self.milliseconds()}  # fmt: skip
        self.book.append(row)
        return 200, row

    def post_algo_order(self, query):
        self.sent.append(query)
        row = {"algoId": 9_000 + len(self.triggers), "clientAlgoId": query["clientAlgoId"],
               "algoType": "CONDITIONAL", "orderType": query["type"], "symbol": self.market_id,
               "side": query["side"], "quantity": query["quantity"], "algoStatus": "NEW",
               "triggerPrice": query["triggerPrice"], "price": "0.00",
               "reduceOnly": query.get("reduceOnly") == "true",
               "createTime": self.milliseconds()}  # fmt: skip
        self.triggers.append(row)
        return 200, row

    def delete_order(self, query):
        row = next(row for row in self.book if str(row["orderId"]) == query["orderId"])
        row["status"] = "CANCELED"
        return 200, row

    def delete_algo_order(self, query):
        row = next(row for row in self.triggers if str(row["algoId"]) == query["algoId"])
        row["algoStatus"] = "CANCELED"
        return 200, {"algoId": row["algoId"], "clientAlgoId": row["clientAlgoId"], "code": "200"}


class RecordedLinear(RecordedVenue, ccxt.binanceusdm):
    """Contracts settled in USDT."""

    wire, market_id, settles_in, step = "fapi", "BTCUSDT", "USDT", "0.001"
    value_key = "notional"
    contract = MappingProxyType({"quoteAsset": "USDT", "marginAsset": "USDT", "status": "TRADING"})


class RecordedInverse(RecordedVenue, ccxt.binancecoinm):
    """Contracts settled in the coin, 100 USD each."""

    wire, market_id, settles_in, step = "dapi", "BTCUSD_PERP", "BTC", "1"
    value_key = "notionalValue"
    contract = MappingProxyType(
        {
            "quoteAsset": "USD",
            "marginAsset": "BTC",
            "contractStatus": "TRADING",
            "contractSize": 100,
        }
    )
