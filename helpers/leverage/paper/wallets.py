"""Money of one account as a ccxt exchange shows it: wallets, transfers, ledger."""

from __future__ import annotations

from typing import Any

from leverage.paper import ledger
from leverage.paper.exchange_errors import BadRequest, PermissionDenied
from leverage.paper.face import Face, Params
from leverage.paper.replies import (
    balance_dict,
    entry_dicts,
    limited,
    transaction_dict,
    transfer_dict,
)
from leverage.paper.state import OUTSIDE, SPOT


class Wallets(Face):
    """What an account owns, and every change of it."""

    def fetch_balance(self, params: Params = None) -> dict[str, Any]:
        """Balance of the trading wallet, or of the spot wallet with ``{"type": "spot"}``."""
        wallet = self._wallet((params or {}).get("type", self._world.wallet))
        return balance_dict(self._world, self._account(), wallet, self.codes)

    def fetch_partial_balance(self, part: str, params: Params = None) -> dict[str, float]:
        """One part of the balance by currency: ``"free"``, ``"used"`` or ``"total"``."""
        if part not in ("free", "used", "total"):
            raise BadRequest(f"part must be 'free', 'used' or 'total', was {part!r}")
        amounts: dict[str, float] = self.fetch_balance(params)[part]
        return amounts

    def fetch_accounts(self, params: Params = None) -> list[dict[str, Any]]:
        """List the wallets of the account."""
        name = self._account().name
        return [
            {"id": f"{name}/{wallet}", "type": wallet, "code": None, "info": {}}
            for wallet in (SPOT, self._world.wallet)
        ]

    def transfer(
        self,
        code: str,
        amount: float,
        fromAccount: str,  # noqa: N803 - ccxt's name
        toAccount: str,  # noqa: N803 - ccxt's name
        params: Params = None,
    ) -> dict[str, Any]:
        """Move money between the spot wallet and the trading wallet.

        Raises
        ------
        InsufficientFunds
            If the amount is more than is free there.
        """
        account = self._account()
        source, target = self._wallet(fromAccount), self._wallet(toAccount)
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
        params: Params = None,
    ) -> dict[str, Any]:
        """Take money out of the spot wallet.

        Raises
        ------
        InsufficientFunds
            If the amount is more than is there.
        """
        account = self._account()
        if not account.verified:
            raise PermissionDenied(f"{account.name!r} is not verified; call verify() first")
        value = self._money(code, amount)
        self._require_free(account, code, value, SPOT)
        world = self._world
        ledger.move(world.state, world.pot(account, SPOT), OUTSIDE, code, value, "withdrawal")
        return transaction_dict(world.state.postings[-1])

    def fetch_ledger(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """Every change of the account's money with its cause, oldest first."""
        name = self._account().name
        entries = [
            entry
            for posting in self._world.state.postings
            if code is None or posting.code == code
            for entry in entry_dicts(posting, name)
        ]
        return limited(entries, since, limit, params)

    def fetch_ledger_entry(
        self, id: str, code: str | None = None, params: Params = None
    ) -> dict[str, Any]:
        """One entry of the ledger."""
        for entry in self.fetch_ledger(code, None, None, params):
            if entry["id"] == id:
                return entry
        raise BadRequest(f"id must be that of a ledger entry, was {id!r}")

    def _transactions(
        self, cause: str, code: str | None, since: int | None, limit: int | None, params: Params
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
            params,
        )

    def fetch_deposits(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List deposits."""
        return self._transactions("deposit", code, since, limit, params)

    def fetch_withdrawals(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List withdrawals."""
        return self._transactions("withdrawal", code, since, limit, params)

    def fetch_transfers(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = None,
    ) -> list[dict[str, Any]]:
        """List transfers between the wallets."""
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
            params,
        )
