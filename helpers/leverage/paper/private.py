"""Trading as a ccxt exchange offers it: settings, orders, positions, money of one account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from . import desk, ledger
from .errors import (
    ArgumentsRequired,
    AuthenticationError,
    BadRequest,
    BadSymbol,
    InsufficientFunds,
    InvalidOrder,
    MarginModeAlreadySet,
    NoChange,
    NotSupported,
    OperationRejected,
    OrderNotFound,
    PermissionDenied,
)
from .fills import scratch
from .matching import take
from .public import PublicData, limited
from .state import OUTSIDE, SPOT, Account, Order, Position, place
from .structures import (
    balance_dict,
    entry_dicts,
    liquidation_dict,
    order_dict,
    position_dict,
    trade_dict,
    transaction_dict,
    transfer_dict,
)

Params = Mapping[str, Any] | None


class PrivateData(PublicData):
    """What an account may see and do."""

    _name: str

    # ---- the account

    def _account(self) -> Account:
        account = self._world.state.accounts.get(self._name)
        if account is None or not account.signed_up:
            raise AuthenticationError(f"{self._name!r} has no account here; call sign_up() first")
        return account

    def _ready(self) -> Account:
        return desk.require_ready(self._world.state.accounts.get(self._name), self._name)

    def _symbol(self, symbol: str | None) -> str:
        if symbol is None:
            raise ArgumentsRequired("symbol must be given; see symbols")
        return str(self.market(symbol)["symbol"])

    # ---- money

    def fetch_balance(self, params: Params = None) -> dict[str, Any]:
        """Balance of the trading wallet, or of the spot wallet with ``{"type": "spot"}``."""
        wallet = self._wallet((params or {}).get("type", self._world.wallet))
        return balance_dict(self._world, self._account(), wallet, self.codes)

    def fetch_accounts(self, params: Params = None) -> list[dict[str, Any]]:
        """List the wallets of the account."""
        del params
        name = self._account().name
        return [
            {"id": f"{name}/{wallet}", "type": wallet, "code": None, "info": {}}
            for wallet in (SPOT, self._world.wallet)
        ]

    def transfer(
        self,
        code: str,
        amount: float,
        from_account: str,
        to_account: str,
        params: Params = None,
    ) -> dict[str, Any]:
        """Move money between the spot wallet and the trading wallet.

        Raises
        ------
        InsufficientFunds
            If the amount is more than is free there.
        """
        del params
        account = self._account()
        source, target = self._wallet(from_account), self._wallet(to_account)
        if source == target:
            raise BadRequest(f"fromAccount and toAccount must differ, were both {source!r}")
        value = self._money(code, amount)
        self._require_free(account, code, value, source)
        world = self._world
        pots = world.pot(account, source), world.pot(account, target)
        ledger.move(world.state, *pots, code, value, "transfer")
        world.touch()
        return transfer_dict(world.state.postings[-1])

    def withdraw(
        self,
        code: str,
        amount: float,
        address: str = "paper",
        tag: str | None = None,
        params: Params = None,
    ) -> dict[str, Any]:
        """Take money out of the spot wallet.

        Raises
        ------
        InsufficientFunds
            If the amount is more than is there.
        """
        del address, tag, params
        account = self._account()
        if not account.verified:
            raise PermissionDenied(f"{account.name!r} is not verified; call verify() first")
        value = self._money(code, amount)
        self._require_free(account, code, value, SPOT)
        world = self._world
        ledger.move(world.state, world.pot(account, SPOT), OUTSIDE, code, value, "withdrawal")
        return transaction_dict(world.state.postings[-1])

    def _money(self, code: str, amount: Any) -> float:
        if code not in self.currencies:
            raise BadRequest(f"code must be one of {', '.join(self.currencies)}, was {code!r}")
        try:
            value = float(amount)
        except (TypeError, ValueError):
            raise BadRequest(f"amount must be a number, was {amount!r}") from None
        if isinstance(amount, bool) or not isfinite(value) or value <= 0:
            raise BadRequest(f"amount must be positive and finite, was {amount!r}")
        return value

    def _wallet(self, name: Any) -> str:
        if name in (SPOT, "funding", "main"):
            return SPOT
        if name in (self._world.wallet, "trading", "swap", "future", "margin", "derivatives"):
            return self._world.wallet
        raise BadRequest(f"wallet must be 'spot' or {self._world.wallet!r}, was {name!r}")

    def _require_free(self, account: Account, code: str, amount: float, wallet: str) -> None:
        world = self._world
        if wallet == SPOT:
            there = ledger.balance(world.state, world.pot(account, SPOT), code)
        else:
            there = world.withdrawable(account, code)
        if amount > there + 1e-12 * max(there, 1.0):
            raise InsufficientFunds(
                f"{amount:.8g} {code} are asked for, {max(there, 0.0):.8g} {code} are free in the "
                f"{wallet} wallet"
            )

    def fetch_ledger(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Every change of the account's money with its cause, oldest first."""
        del params
        name = self._account().name
        entries = [
            entry
            for posting in self._world.state.postings
            if code is None or posting.code == code
            for entry in entry_dicts(posting, name)
        ]
        return limited(entries, since, limit)

    def fetch_ledger_entry(
        self, id: str, code: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """One entry of the ledger."""
        for entry in self.fetch_ledger(code, None, None, params):
            if entry["id"] == id:
                return entry
        raise BadRequest(f"id must be that of a ledger entry, was {id!r}")

    def _transactions(
        self, cause: str, code: str | None, since: int | None, limit: int | None
    ) -> list[dict[str, Any]]:
        account = self._account()
        pots = {self._world.pot(account, wallet) for wallet in (SPOT, self._world.wallet)}
        return limited(
            [
                transaction_dict(posting)
                for posting in self._world.state.postings
                if posting.cause == cause
                and pots & {posting.source, posting.target}
                and code in (None, posting.code)
            ],
            since,
            limit,
        )

    def fetch_deposits(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List deposits."""
        del params
        return self._transactions("deposit", code, since, limit)

    def fetch_withdrawals(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List withdrawals."""
        del params
        return self._transactions("withdrawal", code, since, limit)

    def fetch_transfers(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List transfers between the wallets."""
        del params
        name = self._account().name
        return limited(
            [
                transfer_dict(posting)
                for posting in self._world.state.postings
                if posting.cause == "transfer"
                and posting.source.partition("/")[0] == name
                and code in (None, posting.code)
            ],
            since,
            limit,
        )

    # ---- settings

    def fetch_trading_fee(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Fees of a market."""
        del params
        market = self.market(symbol)
        return {
            "info": {},
            "symbol": market["symbol"],
            "maker": market["maker"],
            "taker": market["taker"],
            "percentage": True,
            "tierBased": False,
        }

    def fetch_trading_fees(self, params: Params = None) -> dict[str, dict[str, Any]]:
        """Fees by symbol."""
        return {symbol: self.fetch_trading_fee(symbol, params) for symbol in self.symbols}

    def fetch_leverage(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Leverage that is set for a market."""
        del params
        account, name = self._account(), self._symbol(symbol)
        leverage = self._world.leverage(account, name)
        mode = "isolated" if self._world.is_isolated(account, name) else "cross"
        return {
            "info": {},
            "symbol": name,
            "marginMode": mode,
            "longLeverage": leverage,
            "shortLeverage": leverage,
        }

    def set_leverage(
        self, leverage: float, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Choose the leverage for a market.

        Raises
        ------
        BadRequest
            If it is below 1 or above the largest of the market.
        OperationRejected
            If the position is too large for it, or isolated.
        InsufficientFunds
            If the position would need more margin than there is.
        """
        del params
        account, name = self._ready(), self._symbol(symbol)
        contract = self._world.contracts[name]
        try:
            value = float(leverage)
        except (TypeError, ValueError):
            raise BadRequest(f"leverage must be a number, was {leverage!r}; give 10") from None
        highest = contract.leverages[0]
        if isinstance(leverage, bool) or not 1 <= value <= highest:
            raise BadRequest(f"leverage of {name} must be from 1 to {highest:g}, was {leverage!r}")
        self._check_leverage(account, name, value)
        account.leverage[name] = value
        for position in _of(account, name):
            position.leverage = value
        self._world.touch()
        return {"info": {}, "symbol": name, "leverage": value}

    def _check_leverage(self, account: Account, symbol: str, leverage: float) -> None:
        world = self._world
        contract = world.contracts[symbol]
        held = _of(account, symbol)
        mark = world.state.prices[symbol].mark
        for position in held:
            if position.is_isolated and position.leverage != leverage:
                raise OperationRejected(
                    f"the margin of the isolated position in {symbol} was put up at "
                    f"{position.leverage:g}x, {leverage:g}x was asked for; use add_margin or "
                    "reduce_margin"
                )
            allowed = contract.max_leverage(position.contracts, mark)
            if leverage > allowed:
                raise OperationRejected(
                    f"a position of {position.contracts:g} in {symbol} may have at most "
                    f"{allowed:g}x, was {leverage:g}"
                )
        if not held and not world.orders_of(account, symbol):
            return
        trial, holder = scratch(world, account)
        holder.leverage = {**account.leverage, symbol: leverage}
        for position in _of(holder, symbol):
            position.leverage = leverage
        free = trial.free(holder, contract.settle)
        now = world.free(account, contract.settle)
        if free < 0 and free < now:
            raise InsufficientFunds(
                f"{now - free:.8g} {contract.settle} more margin are needed at {leverage:g}x, "
                f"{max(now, 0.0):.8g} {contract.settle} are free"
            )
        for position in _of(holder, symbol):
            equity, need = trial.standing(trial.stake_of(holder, position))
            if equity <= need:
                raise InsufficientFunds(
                    f"at {leverage:g}x the requirement would be {need:.8g}, the equity is "
                    f"{equity:.8g} {contract.settle}"
                )

    def fetch_margin_mode(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Margin mode of a market."""
        del params
        name = self._symbol(symbol)
        isolated = self._world.is_isolated(self._account(), name)
        return {"info": {}, "symbol": name, "marginMode": "isolated" if isolated else "cross"}

    def set_margin_mode(
        self, margin_mode: str, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Choose cross or isolated margin for a market.

        Raises
        ------
        NotSupported
            If the venue does not have the mode.
        MarginModeAlreadySet
            If it is set already.
        OperationRejected
            If there is a position or an order.
        """
        del params
        account, name = self._ready(), self._symbol(symbol)
        if margin_mode not in ("cross", "isolated"):
            raise BadRequest(f"marginMode must be 'cross' or 'isolated', was {margin_mode!r}")
        modes = self._world.rules.margin_modes
        if margin_mode not in modes:
            raise NotSupported(
                f"{self._world.rules.name} has {' and '.join(modes)} margin, was asked for "
                f"{margin_mode}"
            )
        if (margin_mode == "isolated") == self._world.is_isolated(account, name):
            raise MarginModeAlreadySet(f"the margin mode of {name} is {margin_mode!r} already")
        self._require_flat(account, name, "the margin mode")
        account.isolated[name] = margin_mode == "isolated"
        return {"info": {}, "symbol": name, "marginMode": margin_mode}

    def fetch_position_mode(
        self, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Tell whether the account is in hedge mode."""
        del symbol, params
        return {"info": {}, "hedged": self._account().hedged}

    def set_position_mode(
        self, hedged: bool, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Choose one-way mode (False) or hedge mode (True) for the whole account."""
        del symbol, params
        account = self._ready()
        if not isinstance(hedged, bool):
            raise BadRequest(f"hedged must be True or False, was {hedged!r}")
        mode = "hedge" if hedged else "one-way"
        if mode not in self._world.rules.position_modes:
            raise NotSupported(f"{self._world.rules.name} has no {mode} mode")
        if hedged == account.hedged:
            raise NoChange(f"the position mode is {mode} already")
        self._require_flat(account, None, "the position mode")
        account.hedged = hedged
        return {"info": {}, "hedged": hedged}

    def _require_flat(self, account: Account, symbol: str | None, what: str) -> None:
        positions = [p for p in account.positions.values() if symbol in (None, p.symbol)]
        orders = self._world.orders_of(account, symbol)
        if positions or orders:
            raise OperationRejected(
                f"{what} cannot change while there are positions or orders: there are "
                f"{len(positions)} and {len(orders)}; close and cancel them first"
            )

    def add_margin(self, symbol: str, amount: float, params: Params = None) -> dict[str, Any]:
        """Put more margin behind an isolated position."""
        account, position, value = self._modification(symbol, amount, params)
        code = self._world.contracts[position.symbol].settle
        self._require_free(account, code, value, self._world.wallet)
        position.margin += value
        self._world.touch()
        return self._modified("add", position, value)

    def reduce_margin(self, symbol: str, amount: float, params: Params = None) -> dict[str, Any]:
        """Take margin that an isolated position does not need away from it."""
        account, position, value = self._modification(symbol, amount, params)
        world = self._world
        contract = world.contracts[position.symbol]
        mark = world.state.prices[position.symbol].mark
        initial = contract.value(position.contracts, position.entry) / position.leverage
        equity, need = world.standing(world.stake_of(account, position))
        keep = max(initial, need * 1.01)
        spare = max(min(position.margin, equity) - keep, 0.0)
        if value > spare:
            raise InsufficientFunds(
                f"{value:.8g} {contract.settle} are asked for, {spare:.8g} are free: the position "
                f"has a margin of {position.margin:.8g} and an equity of {equity:.8g} at a mark of "
                f"{mark:.8g}, and must keep {keep:.8g}"
            )
        position.margin -= value
        world.touch()
        return self._modified("reduce", position, value)

    def _modification(
        self, symbol: str, amount: Any, params: Params
    ) -> tuple[Account, Position, float]:
        account, name = self._ready(), self._symbol(symbol)
        held = [position for position in _of(account, name) if position.is_isolated]
        side = str((params or {}).get("positionSide", "")).lower()
        if side in ("long", "short"):
            held = [position for position in held if (position.side > 0) == (side == "long")]
        if len(held) != 1:
            raise OperationRejected(
                f"there must be one isolated position in {name}, there are {len(held)}; in hedge "
                "mode give positionSide"
            )
        return account, held[0], self._money(self._world.contracts[name].settle, amount)

    def _modified(self, kind: str, position: Position, amount: float) -> dict[str, Any]:
        return {
            "info": {},
            "type": kind,
            "marginMode": "isolated",
            "amount": amount,
            "total": position.margin,
            "code": self._world.contracts[position.symbol].settle,
            "symbol": position.symbol,
            "status": "ok",
            "timestamp": self.milliseconds(),
            "datetime": self.iso8601(self.milliseconds()),
        }

    # ---- positions

    def fetch_positions(
        self, symbols: list[str] | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Open positions, of some symbols or all."""
        del params
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
            ``timeInForce``, ``clientOrderId``, ``positionSide``.

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
        for check in desk.checks(self._world, ticket):
            check()
        order = ticket.order
        self._register(order)
        if order.is_active:
            take(self._world, order)
        return order_dict(self._world, order)

    def _ticket(
        self, symbol: str, kind: str, side: str, amount: Any, price: Any, params: Params
    ) -> desk.Ticket:
        account, name = self._ready(), self._symbol(symbol)
        contract = self._world.contracts[name]
        return desk.read(self._world, account, contract, kind, side, amount, price, params or {})

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
        desk.require_open(self._world, old.symbol)
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
            old.word if old.word in desk._KINDS else old.kind,
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
        for check in desk.checks(self._world, checked):
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
        del params
        order = self._open_order(id, symbol)
        desk.require_open(self._world, order.symbol)
        self._world.end_order(order, "canceled", "cancelled by the account")
        return order_dict(self._world, order)

    def cancel_orders(
        self, ids: list[str], symbol: str | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Cancel several open orders; none is cancelled if one of them is not open."""
        orders = [self._open_order(id, symbol) for id in ids]
        for order in orders:
            desk.require_open(self._world, order.symbol)
        return [self.cancel_order(id, symbol, params) for id in dict.fromkeys(ids)]

    def cancel_all_orders(
        self, symbol: str | None = None, params: Params = None
    ) -> list[dict[str, Any]]:
        """Cancel all open orders, of a symbol or of the account."""
        name = None if symbol is None else self._symbol(symbol)
        ids = [order.id for order in self._world.orders_of(self._ready(), name)]
        return self.cancel_orders(ids, None, params)

    def _order(self, id: Any, symbol: str | None) -> Order:
        account = self._account()
        name = None if symbol is None else self._symbol(symbol)
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
        self, symbol: str | None, since: int | None, limit: int | None, *statuses: str
    ) -> list[dict[str, Any]]:
        account = self._account()
        name = None if symbol is None else self._symbol(symbol)
        book = self._world.state.working if statuses == ("open",) else self._world.state.orders
        kept = [
            order
            for order in book.values()
            if order.account == account.name
            and name in (None, order.symbol)
            and (not statuses or order.status in statuses)
        ]
        kept.sort(key=lambda order: (order.created, int(order.id)))
        return limited([order_dict(self._world, order) for order in kept], since, limit)

    def fetch_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """All orders, oldest first."""
        del params
        return self._orders(symbol, since, limit)

    def fetch_open_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Open orders, oldest first."""
        del params
        return self._orders(symbol, since, limit, "open")

    def fetch_closed_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Filled orders, oldest first."""
        del params
        return self._orders(symbol, since, limit, "closed")

    def fetch_canceled_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Cancelled orders, oldest first."""
        del params
        return self._orders(symbol, since, limit, "canceled")

    def fetch_my_trades(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Fills of the account, forced ones among them, oldest first."""
        del params
        account = self._account()
        name = None if symbol is None else self._symbol(symbol)
        return limited(
            [
                trade_dict(self._world, trade)
                for trade in self._world.state.trades
                if trade.account == account.name and name in (None, trade.symbol)
            ],
            since,
            limit,
        )

    def fetch_order_trades(
        self,
        id: str,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Fills of an order."""
        order = self._order(id, symbol)
        trades = self.fetch_my_trades(order.symbol, since, None, params)
        return limited([trade for trade in trades if trade["order"] == order.id], None, limit)

    def fetch_funding_history(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Funding that the account received (positive) or paid (negative), oldest first."""
        del params
        pot = self._world.pot(self._account())
        name = None if symbol is None else self._symbol(symbol)
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
        )

    def fetch_my_liquidations(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Forced closes of the account, oldest first."""
        del params
        account = self._account()
        name = None if symbol is None else self._symbol(symbol)
        return limited(
            [
                liquidation_dict(self._world, done)
                for done in self._world.state.liquidations
                if done.account == account.name and name in (None, done.symbol)
            ],
            since,
            limit,
        )


_SIDE_WORDS = {1: "buy", -1: "sell"}


def _of(account: Account, symbol: str) -> list[Position]:
    """Positions of an account in a symbol."""
    keys = (place(symbol, 1), place(symbol, -1))
    return [account.positions[key] for key in keys if key in account.positions]


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


__all__ = ["BadSymbol", "PrivateData"]
