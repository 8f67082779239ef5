"""ccxt's shorter ways to ask for what :class:`~leverage.paper.account_orders.AccountOrders` does.

Those that only fix or rename arguments stand in one table, from which their methods are made; names
and order of the arguments are ccxt's. A test compares them with ccxt's own base class.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from leverage.paper.account_orders import AccountOrders
from leverage.paper.exchange_errors import ArgumentsRequired, BadRequest, OrderNotFound
from leverage.paper.face import Params

# By method: the method behind it, the arguments that are asked for, and what is fixed. A name in
# brackets may be left out; what the method behind has no argument for goes into its params.
_TABLE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create_limit_order": ("create_order", "symbol side amount price", {"type": "limit"}),
    "create_limit_buy_order": (
        "create_order",
        "symbol amount price",
        {"type": "limit", "side": "buy"},
    ),
    "create_limit_sell_order": (
        "create_order",
        "symbol amount price",
        {"type": "limit", "side": "sell"},
    ),
    "create_market_order": ("create_order", "symbol side amount [price]", {"type": "market"}),
    "create_market_buy_order": (
        "create_order",
        "symbol amount",
        {"type": "market", "side": "buy"},
    ),
    "create_market_sell_order": (
        "create_order",
        "symbol amount",
        {"type": "market", "side": "sell"},
    ),
    "create_post_only_order": (
        "create_order",
        "symbol type side amount [price]",
        {"postOnly": True},
    ),
    "create_reduce_only_order": (
        "create_order",
        "symbol type side amount [price]",
        {"reduceOnly": True},
    ),
    "create_trigger_order": ("create_order", "symbol type side amount [price] [triggerPrice]", {}),
    "create_stop_order": ("create_order", "symbol type side amount [price] [triggerPrice]", {}),
    "create_stop_limit_order": (
        "create_order",
        "symbol side amount price triggerPrice",
        {"type": "limit"},
    ),
    "create_stop_market_order": (
        "create_order",
        "symbol side amount triggerPrice",
        {"type": "market"},
    ),
    "create_stop_loss_order": (
        "create_order",
        "symbol type side amount [price] [stopLossPrice]",
        {},
    ),
    "create_take_profit_order": (
        "create_order",
        "symbol type side amount [price] [takeProfitPrice]",
        {},
    ),
    "create_trailing_amount_order": (
        "create_order",
        "symbol type side amount [price] [trailingAmount] [trailingTriggerPrice]",
        {},
    ),
    "create_trailing_percent_order": (
        "create_order",
        "symbol type side amount [price] [trailingPercent] [trailingTriggerPrice]",
        {},
    ),
    "edit_limit_order": ("edit_order", "id symbol side amount [price]", {"type": "limit"}),
    "edit_limit_buy_order": (
        "edit_order",
        "id symbol amount [price]",
        {"type": "limit", "side": "buy"},
    ),
    "edit_limit_sell_order": (
        "edit_order",
        "id symbol amount [price]",
        {"type": "limit", "side": "sell"},
    ),
    "create_market_buy_order_with_cost": (
        "create_market_order_with_cost",
        "symbol cost",
        {"side": "buy"},
    ),
    "create_market_sell_order_with_cost": (
        "create_market_order_with_cost",
        "symbol cost",
        {"side": "sell"},
    ),
    "fetch_free_balance": ("fetch_partial_balance", "", {"part": "free"}),
    "fetch_used_balance": ("fetch_partial_balance", "", {"part": "used"}),
    "fetch_total_balance": ("fetch_partial_balance", "", {"part": "total"}),
}
# What such an order is about may not be left out, though it stands behind the price.
_NEEDED = ("triggerPrice", "stopLossPrice", "takeProfitPrice", "trailingAmount", "trailingPercent")
_OF_METHOD = {"id", "symbol", "type", "side", "amount", "price", "cost", "part"}


class Shorthands(AccountOrders):
    """Shorter names for calls about orders and positions; each does what the longer call does."""

    def create_market_order_with_cost(
        self, symbol: str, side: str, cost: float, params: Params = None
    ) -> dict[str, Any]:
        """Order as much as a notional buys at the price of now, cut to the lot."""
        instrument = self._world.instruments[self._symbol(symbol)]
        one = instrument.value(1.0, self._world.state.prices[instrument.symbol].last)
        amount = self._money(instrument.settle, cost) / one
        return self.create_order(symbol, "market", side, amount, None, params)

    def create_order_with_take_profit_and_stop_loss(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float,
        price: float | None = None,
        takeProfit: float | None = None,  # noqa: N803 - ccxt's name
        stopLoss: float | None = None,  # noqa: N803 - ccxt's name
        params: Params = None,
    ) -> dict[str, Any]:
        """Order something with the prices that will close it."""
        if takeProfit is None and stopLoss is None:
            raise ArgumentsRequired("takeProfit or stopLoss must be given, or both; were None")
        given = dict(params or {})
        for name, trigger in (("takeProfit", takeProfit), ("stopLoss", stopLoss)):
            limit = given.pop(f"{name}LimitPrice", None)
            if trigger is not None:
                given[name] = {"triggerPrice": trigger}
                if limit is not None:
                    given[name]["price"] = limit
        return self.create_order(symbol, type, side, amount, price, given)

    def fetch_order_status(self, id: str, symbol: str | None = None, params: Params = None) -> str:
        """Tell whether an order is ``"open"``, ``"closed"`` or ``"canceled"``."""
        return str(self.fetch_order(id, symbol, params)["status"])

    def fetch_positions_for_symbol(
        self, symbol: str, params: Params = None
    ) -> list[dict[str, Any]]:
        """Open positions in a symbol: one, or in hedge mode two."""
        return self.fetch_positions([symbol], params)

    def close_position(
        self, symbol: str, side: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Close a position at the market, whole.

        Raises
        ------
        OrderNotFound
            If there is none, or there are two and `side`, ``"long"`` or ``"short"``, is not given.
        """
        if side not in (None, "long", "short"):
            raise BadRequest(f"side must be 'long' or 'short', was {side!r}")
        held = [
            position
            for position in self.fetch_positions_for_symbol(symbol)
            if side in (None, position["side"])
        ]
        if len(held) != 1:
            raise OrderNotFound(
                f"there must be one {side or ''} position in {symbol} to close, there are "
                f"{len(held)}; in hedge mode give side"
            )
        way = "sell" if held[0]["side"] == "long" else "buy"
        given = {"reduceOnly": True, **(params or {})}
        return self.create_order(symbol, "market", way, held[0]["contracts"], None, given)

    def close_all_positions(self, params: Params = None) -> list[dict[str, Any]]:
        """Close all positions at the market."""
        positions = self.fetch_positions()
        return [self.close_position(one["symbol"], one["side"], params) for one in positions]

    def fetch_order_with_client_order_id(
        self,
        clientOrderId: str,  # noqa: N803 - ccxt's name
        symbol: str | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """One order by the client's own id."""
        return self.fetch_order(self._id_of(clientOrderId), symbol, params)

    def cancel_order_with_client_order_id(
        self,
        clientOrderId: str,  # noqa: N803 - ccxt's name
        symbol: str | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Cancel an order by the client's own id."""
        return self.cancel_order(self._id_of(clientOrderId), symbol, params)

    def cancel_orders_with_client_order_ids(
        self,
        clientOrderIds: list[str],  # noqa: N803 - ccxt's name
        symbol: str | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Cancel several orders by the client's own ids, or none if one is not open."""
        ids = [self._id_of(one) for one in clientOrderIds]
        return self.cancel_orders(ids, symbol, params)

    def edit_order_with_client_order_id(
        self,
        clientOrderId: str,  # noqa: N803 - ccxt's name
        symbol: str,
        type: str,
        side: str,
        amount: float | None = None,
        price: float | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Change an open order by the client's own id."""
        return self.edit_order(
            self._id_of(clientOrderId), symbol, type, side, amount, price, params
        )

    def _id_of(self, client_id: str) -> str:
        found = self._world.state.client_ids.get(f"{self._name} {client_id}")
        if found is None:
            raise OrderNotFound(f"there is no order with clientOrderId {client_id!r}")
        return found


def _shorthand(name: str, behind: str, words: str, fixed: dict[str, Any]) -> Callable[..., Any]:
    """Make a method that calls another one with some arguments fixed and some in its params."""
    kind = Parameter.POSITIONAL_OR_KEYWORD
    asked = [
        Parameter(word.strip("[]"), kind, default=None if "[" in word else Parameter.empty)
        for word in words.split()
    ]
    signature = Signature(
        [Parameter("self", kind), *asked, Parameter("params", kind, default=None)]
    )

    def method(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named)
        bound.apply_defaults()
        face, params = bound.arguments.pop("self"), bound.arguments.pop("params")
        given = {**fixed, **bound.arguments}
        for word in _NEEDED:
            if word in given and given[word] is None:
                raise ArgumentsRequired(f"{word} must be given for {name}, was None")
        extra = {
            key: value
            for key, value in given.items()
            if key not in _OF_METHOD and value is not None
        }
        direct = {key: value for key, value in given.items() if key in _OF_METHOD}
        return face[behind](**direct, params={**(params or {}), **extra})

    method.__name__ = name
    method.__qualname__ = f"Shorthands.{name}"
    method.__doc__ = f"Call `{behind}` with {', '.join(map(repr, fixed.values())) or words}."
    method.__signature__ = signature  # type: ignore[attr-defined]  # what help() shows
    return method


for _name, _row in _TABLE.items():
    setattr(Shorthands, _name, _shorthand(_name, *_row))
