"""What a call is refused with: the names and the family tree of ccxt's errors.

A bot that catches ccxt's ``InsufficientFunds`` by name catches this one too, and ccxt itself is not
needed to run it. Every message carries the numbers that decided.
"""

# ruff: noqa: N818 - the names are ccxt's.


class BaseError(Exception):
    """Anything that the exchange refuses or cannot do."""


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
