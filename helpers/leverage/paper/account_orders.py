"""Trading as a ccxt exchange offers it: positions, orders and fills of one account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leverage.paper import order_desk
from leverage.paper.exchange_errors import BadRequest, InvalidOrder, OrderNotFound
from leverage.paper.face import Face, Params
from leverage.paper.matching import take
from leverage.paper.replies import limited, liquidation_dict, order_dict, position_dict, trade_dict
from leverage.paper.state import BY_ACCOUNT, Order


class AccountOrders(Face):
    """What an account may see and do."""

    # ---- positions

    def fetch_positions(
        self, symbols: list[str] | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Open positions, of some symbols or all."""
        account = self._account()
        if isinstance(symbols, str):
            raise BadRequest(f"symbols must be a list, was {symbols!r}; give [{symbols!r}]")
        wanted = None if symbols is None else {self._symbol(symbol) for symbol in symbols}
        return [
            position_dict(self._world, account, position)
            for position in account.positions.values()
            if wanted is None or position.symbol in wanted
        ]

    def fetch_position(self, symbol: str, params: Params = None) -> dict[str, Any] | None:
        """Position in a symbol, the long one first; None if there is none."""
        positions = self.fetch_positions([self._symbol(symbol)], params)
        side = (params or {}).get("side")
        positions = [p for p in positions if side is None or p["side"] == side]
        return positions[0] if positions else None

    # ---- orders

    def create_order(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float,
        price: float | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Order something.

        Parameters
        ----------
        symbol : str
            Market.
        type : str
            ``"market"``, ``"limit"``, or a trigger order by its own name.
        side : {"buy", "sell"}
            Direction.
        amount : float
            Contracts; cut to the lot.
        price : float, optional
            Limit price; rounded to the tick.
        params : dict, optional
            ``triggerPrice``, ``stopLossPrice``, ``takeProfitPrice``, ``trailingPercent``,
            ``trailingAmount``, ``stopLoss``, ``takeProfit``, ``reduceOnly``, ``postOnly``,
            ``timeInForce``, ``clientOrderId``, ``positionSide``. A stop or a target closes only,
            and never opens the other side, with ``reduceOnly``, or attached by ``stopLoss`` and
            ``takeProfit``.

        Returns
        -------
        dict
            Order structure, filled already if the book took it.

        Raises
        ------
        BaseError
            One of ccxt's names; nothing has changed then.
        """
        ticket = self._ticket(symbol, type, side, amount, price, params)
        for check in order_desk.order_checks(self._world, ticket):
            check()
        order = ticket.order
        self._register(order)
        if order.is_active:
            take(self._world, order)
        return order_dict(self._world, order)

    def _ticket(
        self, symbol: str, kind: str, side: str, amount: Any, price: Any, params: Params
    ) -> order_desk.Ticket:
        account, name = self._ready(), self._symbol(symbol)
        instrument = self._world.instruments[name]
        return order_desk.read_order(
            self._world, account, instrument, kind, side, amount, price, params or {}
        )

    def _register(self, order: Order) -> None:
        state = self._world.state
        state.orders[order.id] = state.working[order.id] = order
        if order.client_id:
            state.client_ids[f"{order.account} {order.client_id}"] = order.id
        self._world.touch()

    def edit_order(
        self,
        id: str,
        symbol: str,
        type: str | None = None,
        side: str | None = None,
        amount: float | None = None,
        price: float | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Change the amount, price or trigger of an open order; it keeps its id and its place.

        Raises
        ------
        InvalidOrder
            If it has been filled in part, or type or side would change.
        """
        old = self._open_order(id, symbol)
        order_desk.require_open(self._world, old.symbol)
        if old.filled:
            raise InvalidOrder(
                f"order {id} is filled in part ({old.filled:g} of {old.amount:g}); cancel it and "
                "place a new one"
            )
        if type not in (None, old.word, old.kind) or side not in (None, _SIDE_WORDS[old.side]):
            raise InvalidOrder(
                f"order {id} is a {old.word} {_SIDE_WORDS[old.side]}; type and side cannot change"
            )
        given = {
            key: value
            for key, value in (params or {}).items()
            if key != "clientOrderId" or value != old.client_id
        }
        kept = _params_of(old)
        if any("rice" in key for key in given if key != "triggerPriceType"):
            kept.pop("triggerPrice", None)
            kept.pop("triggerDirection", None)
        ticket = self._ticket(
            old.symbol,
            old.word if old.word in order_desk._KINDS else old.kind,
            _SIDE_WORDS[old.side],
            old.amount if amount is None else amount,
            old.price if price is None else price,
            {**kept, **given},
        )
        new = replace(
            ticket.order,
            id=old.id,
            created=old.created,
            sibling=old.sibling,
            client_id=ticket.order.client_id or old.client_id,
            word=old.word,
        )
        checked = replace(ticket, order=replace(new, client_id=ticket.order.client_id))
        for check in order_desk.order_checks(self._world, checked):
            check()
        self._register(new)
        if new.is_active:
            take(self._world, new)
        return order_dict(self._world, new)

    def cancel_order(
        self, id: str, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Cancel an open order.

        Raises
        ------
        OrderNotFound
            If there is no such order, or it is filled or cancelled already.
        """
        order = self._open_order(id, symbol)
        order_desk.require_cancelling(self._world, order.symbol)
        self._world.end_order(order, "canceled", BY_ACCOUNT)
        return order_dict(self._world, order)

    def cancel_orders(
        self, ids: list[str], symbol: str | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Cancel several open orders; none is cancelled if one of them is not open."""
        orders = [self._open_order(id, symbol) for id in ids]
        for order in orders:
            order_desk.require_cancelling(self._world, order.symbol)
        return [self.cancel_order(id, symbol, params) for id in dict.fromkeys(ids)]

    def cancel_all_orders(
        self, symbol: str | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Cancel all open orders, of a symbol or of the account; with ``trigger`` only stops."""
        name = self._symbol_or_all(symbol)
        ids = [
            order.id
            for order in self._world.orders_of(self._ready(), name)
            if _is_meant(order, params)
        ]
        if name is not None:
            order_desk.require_cancelling(self._world, name)
        return self.cancel_orders(ids, None, params)

    def _order(self, id: Any, symbol: str | None) -> Order:
        account = self._account()
        name = self._symbol_or_all(symbol)
        order = self._world.state.orders.get(str(id))
        if order is None or order.account != account.name or name not in (None, order.symbol):
            raise OrderNotFound(
                f"there is no order {id!r} of {account.name!r}" + (f" in {name}" if name else "")
            )
        return order

    def _open_order(self, id: Any, symbol: str | None) -> Order:
        self._ready()
        order = self._order(id, symbol)
        if order.status != "open":
            word = "filled" if order.status == "closed" else "cancelled"
            raise OrderNotFound(
                f"order {id} is {word} ({order.filled:g} of {order.amount:g}); there is nothing "
                "left to cancel or change"
            )
        return order

    def fetch_order(
        self, id: str, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """One order, open or done; ``{"clientOrderId": …}`` finds it by the client's id."""
        client_id = (params or {}).get("clientOrderId")
        if client_id is not None:
            id = self._world.state.client_ids.get(f"{self._name} {client_id}", "")
        return order_dict(self._world, self._order(id, symbol))

    def _orders(
        self,
        symbol: str | None,
        since: int | None,
        limit: int | None,
        params: Params,
        *statuses: str,
    ) -> list[dict[str, Any]]:
        account = self._account()
        name = self._symbol_or_all(symbol)
        book = self._world.state.working if statuses == ("open",) else self._world.state.orders
        kept = [
            order
            for order in book.values()
            if order.account == account.name
            and name in (None, order.symbol)
            and (not statuses or order.status in statuses)
            and _is_meant(order, params)
        ]
        kept.sort(key=lambda order: (order.created, int(order.id)))
        return limited([order_dict(self._world, order) for order in kept], since, limit, params)

    def fetch_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """All orders, oldest first."""
        return self._orders(symbol, since, limit, params)

    def fetch_open_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Open orders, oldest first; with ``{"trigger": True}`` those that have a trigger."""
        return self._orders(symbol, since, limit, params, "open")

    def fetch_closed_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List filled orders, oldest first."""
        return self._orders(symbol, since, limit, params, "closed")

    def fetch_canceled_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List cancelled orders, oldest first."""
        return self._orders(symbol, since, limit, params, "canceled")

    def fetch_my_trades(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List fills of the account, forced ones among them, oldest first."""
        account = self._account()
        name = self._symbol_or_all(symbol)
        return limited(
            [
                trade_dict(self._world, trade)
                for trade in self._world.state.trades
                if trade.account == account.name and name in (None, trade.symbol)
            ],
            since,
            limit,
            params,
        )

    def fetch_order_trades(
        self,
        id: str,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List the fills of an order."""
        order = self._order(id, symbol)
        return limited(order_dict(self._world, order)["trades"], since, limit, params)

    def fetch_funding_history(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Funding that the account received (positive) or paid (negative), oldest first."""
        pot = self._world.pot(self._account())
        name = self._symbol_or_all(symbol)
        return limited(
            [
                {
                    "info": {},
                    "id": str(posting.id),
                    "symbol": posting.symbol,
                    "code": posting.code,
                    "timestamp": posting.time,
                    "datetime": self.iso8601(posting.time),
                    "amount": posting.amount if posting.target == pot else -posting.amount,
                }
                for posting in self._world.state.postings
                if posting.cause == "funding"
                and pot in (posting.source, posting.target)
                and name in (None, posting.symbol)
            ],
            since,
            limit,
            params,
        )

    def fetch_my_liquidations(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List forced closes of the account, oldest first."""
        account = self._account()
        name = self._symbol_or_all(symbol)
        return limited(
            [
                liquidation_dict(self._world, done)
                for done in self._world.state.liquidations
                if done.account == account.name and name in (None, done.symbol)
            ],
            since,
            limit,
            params,
        )


def _is_meant(order: Order, params: Params) -> bool:
    """Tell whether an order is asked for: with ``trigger`` or ``stop``, as in ccxt, only triggers.

    An order whose trigger has fired and that rests in the book is an ordinary one.
    """
    given = params or {}
    waits = order.trigger_way if order.status == "open" else order.trigger is not None
    return bool(waits) or not (given.get("trigger") or given.get("stop"))


_SIDE_WORDS = {1: "buy", -1: "sell"}


def _params_of(order: Order) -> dict[str, Any]:
    """Parameters that an order was placed with, for those that a change does not name."""
    params: dict[str, Any] = {"reduceOnly": order.reduce_only, "triggerPriceType": order.trigger_on}
    if order.post_only:
        params["postOnly"] = True
    elif order.time_in_force != "GTC":
        params["timeInForce"] = order.time_in_force
    if order.position_side:
        params["positionSide"] = "long" if order.position_side > 0 else "short"
    if order.trail_rate:
        params["trailingPercent"] = order.trail_rate * 100
    elif order.trail_amount:
        params["trailingAmount"] = order.trail_amount
    elif order.trigger_way:
        params["triggerPrice"] = order.trigger
        params["triggerDirection"] = "ascending" if order.trigger_way > 0 else "descending"
    if order.stop_loss:
        params["stopLoss"] = order.stop_loss
    if order.take_profit:
        params["takeProfit"] = order.take_profit
    return params
