"""Settings of one account as a ccxt exchange offers them: leverage, modes, isolated margin."""

from __future__ import annotations

from typing import Any

from leverage.paper import order_desk
from leverage.paper.exchange_errors import (
    BadRequest,
    InsufficientFunds,
    MarginModeAlreadySet,
    NoChange,
    NotSupported,
    OperationRejected,
)
from leverage.paper.face import Face, Params
from leverage.paper.fills import scratch
from leverage.paper.instruments import Instrument
from leverage.paper.state import Account, Position, position_key


class Settings(Face):
    """What an account chooses before it trades, and the margin of its isolated positions."""

    def fetch_trading_fee(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Fees of a market."""
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
        """Choose the leverage for a market, with or without a position.

        The margin of an open isolated position follows: it is put up for a lower leverage, and set
        free by a higher one.

        Raises
        ------
        BadRequest
            If it is below 1 or above the largest of the market.
        OperationRejected
            If the position is too large for it, or isolated where the venue does not change it.
        InsufficientFunds
            If the position would need more margin than there is, or be liquidated at once.
        """
        account, name = self._ready(), self._symbol(symbol)
        order_desk.require_mode(self._world, account, name, params)
        instrument = self._world.instruments[name]
        try:
            value = float(leverage)
        except (TypeError, ValueError):
            raise BadRequest(f"leverage must be a number, was {leverage!r}; give 10") from None
        highest = instrument.leverages[0]
        if isinstance(leverage, bool) or not 1 <= value <= highest:
            raise BadRequest(f"leverage of {name} must be from 1 to {highest:g}, was {leverage!r}")
        self._check_leverage(account, name, value)
        account.leverage[name] = value
        for position in positions_in(account, name):
            _take_leverage(instrument, position, value)
        self._world.touch()
        return {"info": {}, "symbol": name, "leverage": value}

    def _check_leverage(self, account: Account, symbol: str, leverage: float) -> None:
        world = self._world
        instrument = world.instruments[symbol]
        held = positions_in(account, symbol)
        mark = world.state.prices[symbol].mark
        for position in held:
            rule = world.rules.isolated_leverage_change
            is_refused = rule == "none" or (rule == "raise" and leverage < position.leverage)
            if position.is_isolated and position.leverage != leverage and is_refused:
                raise OperationRejected(
                    f"{world.rules.name} does not {'change' if rule == 'none' else 'lower'} the "
                    f"leverage of an open isolated position, it is {position.leverage:g}x in "
                    f"{symbol}, {leverage:g}x was asked for; use add_margin or reduce_margin"
                )
            allowed = instrument.max_leverage(position.contracts, mark)
            if leverage > allowed:
                raise OperationRejected(
                    f"a position of {position.contracts:g} in {symbol} may have at most "
                    f"{allowed:g}x, was {leverage:g}"
                )
        if not held and not world.orders_of(account, symbol):
            return
        trial, holder = scratch(world, account)
        holder.leverage = {**account.leverage, symbol: leverage}
        for position in positions_in(holder, symbol):
            _take_leverage(instrument, position, leverage)
        free = trial.free(holder, instrument.settle)
        now = world.free(account, instrument.settle)
        if free < 0 and free < now:
            raise InsufficientFunds(
                f"{now - free:.8g} {instrument.settle} more margin are needed at {leverage:g}x, "
                f"{max(now, 0.0):.8g} {instrument.settle} are free"
            )
        for position in positions_in(holder, symbol):
            equity, need = trial.standing(trial.group_of(holder, position))
            if equity <= need or position.margin < 0:
                raise InsufficientFunds(
                    f"at {leverage:g}x the requirement would be {need:.8g}, the equity is "
                    f"{equity:.8g} {instrument.settle}"
                )

    def fetch_margin_mode(self, symbol: str, params: Params = None) -> dict[str, Any]:
        """Margin mode of a market."""
        name = self._symbol(symbol)
        isolated = self._world.is_isolated(self._account(), name)
        return {"info": {}, "symbol": name, "marginMode": "isolated" if isolated else "cross"}

    def set_margin_mode(
        self,
        marginMode: str,  # noqa: N803 - ccxt's name
        symbol: str | None = None,
        params: Params = None,
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
        BadRequest
            If a leverage is among the parameters: it has a call of its own.
        """
        if "leverage" in (params or {}):
            raise BadRequest("leverage is no part of the margin mode here; call set_leverage")
        account, name = self._ready(), self._symbol(symbol)
        if marginMode not in ("cross", "isolated"):
            raise BadRequest(f"marginMode must be 'cross' or 'isolated', was {marginMode!r}")
        modes = self._world.rules.margin_modes
        if marginMode not in modes:
            raise NotSupported(
                f"{self._world.rules.name} has {' and '.join(modes)} margin, was asked for "
                f"{marginMode}"
            )
        if (marginMode == "isolated") == self._world.is_isolated(account, name):
            raise MarginModeAlreadySet(f"the margin mode of {name} is {marginMode!r} already")
        self._require_flat(account, name, "the margin mode")
        account.isolated[name] = marginMode == "isolated"
        return {"info": {}, "symbol": name, "marginMode": marginMode}

    def fetch_position_mode(
        self, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Tell whether the account is in hedge mode."""
        return {"info": {}, "hedged": self._account().hedged}

    def set_position_mode(
        self, hedged: bool, symbol: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """Choose one-way mode (False) or hedge mode (True) for the whole account."""
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
        code = self._world.instruments[position.symbol].settle
        self._require_free(account, code, value, self._world.wallet)
        position.margin += value
        self._world.touch()
        return self._modified("add", position, value)

    def reduce_margin(self, symbol: str, amount: float, params: Params = None) -> dict[str, Any]:
        """Take margin that an isolated position does not need away from it."""
        account, position, value = self._modification(symbol, amount, params)
        world = self._world
        instrument = world.instruments[position.symbol]
        mark = world.state.prices[position.symbol].mark
        initial = instrument.value(position.contracts, position.entry) / position.leverage
        equity, need = world.standing(world.group_of(account, position))
        keep = max(initial, need * 1.01)
        spare = max(min(position.margin, equity) - keep, 0.0)
        if value > spare:
            raise InsufficientFunds(
                f"{value:.8g} {instrument.settle} are asked for, {spare:.8g} are free: the position "
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
        held = [position for position in positions_in(account, name) if position.is_isolated]
        side = str((params or {}).get("positionSide", "")).lower()
        if side in ("long", "short"):
            held = [position for position in held if (position.side > 0) == (side == "long")]
        if len(held) != 1:
            raise OperationRejected(
                f"there must be one isolated position in {name}, there are {len(held)}; in hedge "
                "mode give positionSide"
            )
        return account, held[0], self._money(self._world.instruments[name].settle, amount)

    def _modified(self, kind: str, position: Position, amount: float) -> dict[str, Any]:
        return {
            "info": {},
            "type": kind,
            "marginMode": "isolated",
            "amount": amount,
            "total": position.margin,
            "code": self._world.instruments[position.symbol].settle,
            "symbol": position.symbol,
            "status": "ok",
            "timestamp": self.milliseconds(),
            "datetime": self.iso8601(self.milliseconds()),
        }


def _take_leverage(instrument: Instrument, position: Position, leverage: float) -> None:
    """Give a position another leverage; an isolated margin grows or shrinks by the difference."""
    if position.is_isolated:
        value = instrument.value(position.contracts, position.entry)
        position.margin += value / leverage - value / position.leverage
    position.leverage = leverage


def positions_in(account: Account, symbol: str) -> list[Position]:
    """Positions of an account in a symbol."""
    keys = (position_key(symbol, 1), position_key(symbol, -1))
    return [account.positions[key] for key in keys if key in account.positions]
