"""Money: every change is a posting from one pot to another, so the sum of all pots stays zero."""

from __future__ import annotations

from math import fsum, isfinite

from leverage.paper.state import FEES, FUND, MARKET, OUTSIDE, POTS, Posting, State


def balance(state: State, pot: str, code: str) -> float:
    """Money of a currency in a pot.

    Examples
    --------
    >>> balance(State(), "main/swap", "USDT")
    0.0
    """
    return state.pots.get(f"{code} {pot}", 0.0)


def move(
    state: State,
    source: str,
    target: str,
    code: str,
    amount: float,
    cause: str,
    symbol: str = "",
    reference: str = "",
) -> None:
    """Move money and write it down; a negative amount moves it the other way, zero is nothing.

    Examples
    --------
    >>> state = State()
    >>> move(state, "outside", "main/swap", "USDT", 100.0, "deposit")
    >>> move(state, "main/swap", "fees", "USDT", 0.5, "fee")
    >>> balance(state, "main/swap", "USDT"), state.postings[1].cause
    (99.5, 'fee')
    """
    if amount == 0:
        return
    if not isfinite(amount):
        raise ArithmeticError(
            f"only finite amounts can be posted, was {amount} {code} from {source} to {target} for "
            f"{cause} {symbol}; please report it as a fault of the exchange"
        )
    if amount < 0:
        source, target, amount = target, source, -amount
    pots = state.pots
    giver, taker = f"{code} {source}", f"{code} {target}"
    left = pots.get(giver, 0.0) - amount
    got = pots.get(taker, 0.0) + amount
    pots[giver], pots[taker] = left, got
    flows = state.flows
    flows[f"{code} moved"] = flows.get(f"{code} moved", 0.0) + amount
    if OUTSIDE in (source, target):
        way = f"{code} in" if source == OUTSIDE else f"{code} out"
        flows[way] = flows.get(way, 0.0) + amount
    postings = state.postings
    postings.append(
        Posting(
            len(postings) + 1,
            state.now,
            code,
            source,
            target,
            amount,
            left,
            got,
            cause,
            symbol,
            reference,
        )
    )


def ledger_sums(state: State) -> dict[str, dict[str, float]]:
    r"""Add up the money of every currency.

    Returns
    -------
    dict
        By currency: what accounts, market, insurance fund and fees hold, what came in and went out,
        the difference, and the sum of all amounts ever moved as the scale to compare it with.

    Notes
    -----
    .. math:: \text{accounts} + \text{market} + \text{fund} + \text{fees}
        = \text{deposits} - \text{withdrawals}

    Examples
    --------
    >>> state = State()
    >>> move(state, "outside", "main/swap", "USDT", 100.0, "deposit")
    >>> ledger_sums(state)["USDT"]["difference"]
    0.0
    """
    codes = dict.fromkeys(key.partition(" ")[0] for key in state.pots)
    sums = {}
    for code in codes:
        held = {
            key.partition(" ")[2]: amount
            for key, amount in state.pots.items()
            if key.startswith(f"{code} ")
        }
        accounts = fsum(amount for pot, amount in held.items() if pot not in POTS)
        deposits = state.flows.get(f"{code} in", 0.0)
        withdrawals = state.flows.get(f"{code} out", 0.0)
        inside = fsum([accounts, *(held.get(pot, 0.0) for pot in (MARKET, FUND, FEES))])
        sums[code] = {
            "accounts": accounts,
            "market": held.get(MARKET, 0.0),
            "insurance_fund": held.get(FUND, 0.0),
            "fees": held.get(FEES, 0.0),
            "deposits": deposits,
            "withdrawals": withdrawals,
            "difference": inside - (deposits - withdrawals),
            "scale": state.flows.get(f"{code} moved", 0.0),
        }
    return sums
