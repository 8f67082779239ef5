"""What a call is refused with: the names and the family tree of ccxt's errors.

A program that catches ccxt's ``InsufficientFunds`` catches this one too: where ccxt is loaded an error
is one of its class as well, and ccxt is not needed. Every message carries the numbers that decided.
"""

# ruff: noqa: N818 - the names are ccxt's.

from __future__ import annotations

import sys
from typing import Any, Self


class BaseError(Exception):
    """Anything that the exchange refuses or cannot do."""

    def __new__(cls, *words: object) -> Self:
        """Make it an error of ccxt's class, too, in a program that has loaded ccxt."""
        ccxt = sys.modules.get("ccxt")
        twins = (getattr(ccxt, kind.__name__, None) for kind in cls.__mro__)
        twin = next((found for found in twins if found), None)
        is_plain = twin is None or issubclass(cls, twin)
        kind: type[Self] = cls if is_plain else _both(cls, twin)
        return super().__new__(kind, *words)


class ExchangeError(BaseError):
    """The exchange understood the call and says no."""


class AuthenticationError(ExchangeError):
    """There is no such account yet."""


class PermissionDenied(AuthenticationError):
    """The account may not do this yet."""


class AccountNotEnabled(PermissionDenied):
    """Margin trading is not enabled for the account."""


class ArgumentsRequired(ExchangeError):
    """An argument that the call needs is missing."""


class BadRequest(ExchangeError):
    """An argument is not one that the exchange takes."""


class BadSymbol(BadRequest):
    """There is no such market."""


class BadFeed(BadRequest, ValueError):
    """Prices that no market can have had: the feed is refused before anything starts."""


class UnreadableSave(BadRequest, ValueError):
    """A file that is not a whole saved run."""


class OperationRejected(ExchangeError):
    """The state of the account does not allow this now."""


class NoChange(OperationRejected):
    """The setting is what it was."""


class MarginModeAlreadySet(NoChange):
    """The margin mode is what it was."""


class InsufficientFunds(ExchangeError):
    """More money is needed than there is free."""


class InvalidOrder(ExchangeError):
    """The order breaks a rule of the market."""


class OrderNotFound(InvalidOrder):
    """There is no open order with this id."""


class OrderImmediatelyFillable(InvalidOrder):
    """A post-only order would be filled at once, or a trigger is already met."""


class OrderNotFillable(InvalidOrder):
    """A fill-or-kill order cannot be filled whole."""


class DuplicateOrderId(InvalidOrder):
    """The client's order id was used before."""


class NotSupported(ExchangeError):
    """The venue does not offer this."""


class NoSuchMethod(NotSupported, AttributeError):
    """A method of ccxt that the exchange does not have."""


class OperationFailed(BaseError):
    """The exchange cannot answer now."""


class NetworkError(OperationFailed):
    """The exchange is not reached."""


class ExchangeNotAvailable(NetworkError):
    """The exchange is down."""


class OnMaintenance(ExchangeNotAvailable):
    """The market is closed: the history has no bars here."""


def _both(ours: Any, theirs: Any) -> Any:
    """Class of errors that are ours and ccxt's; it travels between processes as ours."""
    if ours not in _JOINED:
        body = {"__module__": ours.__module__, "__doc__": ours.__doc__}
        body["__reduce__"] = lambda self: (ours, self.args)
        _JOINED[ours] = type(ours.__name__, (ours, theirs), body)
    return _JOINED[ours]


_JOINED: dict[Any, Any] = {}
