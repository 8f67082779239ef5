"""Whether what is known stands against a plan: the word of the venue, and that of the law.

Nothing here is legal advice. An answer comes with its reasons and with the questions to ask. What
nobody read in a source, or what sources dispute, counts as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from math import nan

from leverage._validate import checked_choice
from leverage.venues.law import (
    CLIENTS,
    GATHERED,
    LegalRule,
    legal_rules,
    place_rules,
    places,
    with_wider,
)
from leverage.venues.provenance import oldest, weakest
from leverage.venues.records import UNKNOWN, Fact, PlaceRule, Product, Venue
from leverage.venues.rules import check_single

PERPETUAL = "crypto futures/perpetual"
PRODUCTS = tuple(dict.fromkeys(rule.product for rule in legal_rules()))
CLOSED = ("refused", "suspended", "not authorised")
ANSWERS = (*CLOSED, "unknown", "not refused")
"""What an answer may be, from the one that settles a plan to the one that leaves it open."""


@dataclass(frozen=True)
class AccessAnswer:
    """Whether what is known stands against a plan.

    Attributes
    ----------
    value : str
        One of ``ANSWERS``. ``"refused"``: by the law, or by the venue itself. ``"suspended"``: the
        venue has ended its service there. ``"not authorised"``: the venue needs a licence there
        and has none, whether it turns people away or not. ``"unknown"``: nobody found out. And
        ``"not refused"`` is no permission: only, nothing known stands against it.
    reasons : tuple of str
        What it rests on, each with its confidence and date.
    questions : tuple of str
        What to ask before relying on it.
    confidence, as_of : str
        Least confidence and oldest date of what it rests on.
    """

    value: str
    reasons: tuple[str, ...]
    questions: tuple[str, ...]
    confidence: str
    as_of: str


def rules_for(
    place: str, product: str = PERPETUAL, *, client: str = "retail", on: date | None = None
) -> tuple[LegalRule, ...]:
    """Look up the rules of a place on a product, those of the wider place included.

    Parameters
    ----------
    place : str
        One of :func:`places`. Any other name is answered too: with what is unknown.
    product : str, default "crypto futures/perpetual"
        One of ``PRODUCTS``, or another name.
    client : {"retail", "professional"}, default "retail"
        Kind of client in the eyes of the law.
    on : datetime.date, optional
        Day whose rules are wanted; the newest if left out.

    Returns
    -------
    tuple of LegalRule
        Never empty. Where nothing is known, a row that says so: its `status` is ``"unknown"``, its
        `max_leverage` is NaN, its `question` is what to ask, and its `note` tells what is near.

    Raises
    ------
    ValueError
        If a name is no text or empty, or `client` is another word.

    Examples
    --------
    >>> for rule in rules_for("New York"):
    ...     print(rule.place, "|", rule.status, "|", rule.limit)
    New York | unknown | unknown
    United States (federal) | allowed | no number
    United States (federal) | allowed | no number
    United States (federal) | allowed | 10x
    United States (federal) | allowed | no number
    >>> (rule,) = rules_for("Atlantis")
    >>> rule.is_known, rule.note
    (False, 'Not one of the 20 places of the table; yours may belong to a wider one, such as EU/EEA.')
    """
    for name, value in [("place", place), ("product", product)]:
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{name} must be a name, was {value!r}; give {name}='...'")
    checked_choice("client", client, list(CLIENTS))
    found: list[LegalRule] = []
    for each in with_wider(place):
        rows = [r for r in legal_rules(on) if (r.place, r.product) == (each, product)]
        found += [rule for rule in rows if rule.concerns(client)] or [
            _unknown_rule(each, product, client, rows)
        ]
    return tuple(found)


def _unknown_rule(place: str, product: str, client: str, others: Iterable[LegalRule]) -> LegalRule:
    known = place in places()
    near = get_close_matches(place, places(), 1) or get_close_matches(
        place.casefold(), [name.casefold() for name in places()], 1
    )
    if others := list(others):
        rows = "; ".join(f"{rule.clients}: {rule.status}" for rule in others)
        note = f"Known for other clients: {rows}."
    elif known and product in PRODUCTS:
        note = "Looked for and not found."
    elif known:
        note = f"Not one of the products of the table: {', '.join(PRODUCTS)}."
    else:
        note = f"Not one of the {len(places())} places of the table; " + (
            f"perhaps you mean {next(n for n in places() if n.casefold() == near[0].casefold())}."
            if near
            else "yours may belong to a wider one, such as EU/EEA."
        )
    return LegalRule(
        place=place,
        authority=UNKNOWN,
        product=product,
        clients=client,
        max_leverage=nan,
        mechanism=UNKNOWN,
        status=UNKNOWN,
        since=UNKNOWN,
        until="",
        negative_balance_protection=UNKNOWN,
        close_out_rule=UNKNOWN,
        source="not found in the copies read" if known else "not looked for",
        address="",
        as_of=GATHERED.isoformat(),
        confidence="background",
        note=note,
    )


def law_answer(
    place: str,
    product: str = PERPETUAL,
    leverage: float = 1.0,
    *,
    client: str = "retail",
    on: date | None = None,
) -> AccessAnswer:
    """Ask the table whether something known stands against a leverage in a place.

    Within one place one open way is enough; a place and the wider one must both leave it open.

    Parameters
    ----------
    place, product, client, on
        As for :func:`rules_for`.
    leverage : float, default 1
        Leverage of the plan. At least 1.

    Returns
    -------
    AccessAnswer
        A ban or a lower cap refuses; a row that is background knowledge, or restricts without a
        number, leaves it unknown.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> for leverage in (2, 3):
    ...     answer = law_answer("Japan", leverage=leverage)
    ...     print(answer.value, answer.confidence, answer.as_of)
    not refused secondary 2023-10-17
    refused secondary 2023-10-17
    >>> law_answer("New York", leverage=2).value
    'unknown'
    """
    check_single(leverage=leverage)
    rules = rules_for(place, product, client=client, on=on)
    values = [
        any_of(*(_rule_value(rule, leverage) for rule in rules if rule.place == each))
        for each in with_wider(place)
    ]
    return AccessAnswer(
        all_of(*values),
        tuple(_rule_words(rule) for rule in rules),
        tuple(dict.fromkeys(rule.question for rule in rules)),
        weakest(*(rule.confidence for rule in rules)),
        oldest(rule.as_of for rule in rules),
    )


def venue_answer(
    venue: Venue, product: Product, place: str, leverage: float = 1.0, *, client: str = "retail"
) -> AccessAnswer:
    """Ask the file of a venue whether it turns people of a place away.

    Parameters
    ----------
    venue : Venue
        From :func:`leverage.venues.load_venue`.
    product : Product
        One of its products.
    place : str
        As for :func:`rules_for`.
    leverage : float, default 1
        Leverage of the plan. At least 1.
    client : {"retail", "professional"}, default "retail"
        Kind of client.

    Returns
    -------
    AccessAnswer
        ``"unknown"`` where the file says nothing of the place: not being named is no invitation.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> kraken, mexc = load_venue("kraken"), load_venue("mexc")
    >>> venue_answer(kraken, kraken.product("futures_linear"), "EU/EEA", 20).value
    'refused'
    >>> answer = venue_answer(mexc, mexc.product("futures"), "Japan")
    >>> answer.value, answer.questions
    ('unknown', ('MEXC: do you serve clients in Japan, with which company and licence?',))
    """
    check_single(leverage=leverage)
    checked_choice("client", client, list(CLIENTS))
    rules = place_rules(venue, product, place, client)
    asked = f"{venue.name}: do you serve clients in {place}, with which company and licence?"
    if not rules:
        reason = f"{venue.name}'s file says nothing of {place}"
        return AccessAnswer(
            "unknown", (reason,), (asked,), "background", venue.gathered.isoformat()
        )
    return AccessAnswer(
        all_of(*(_place_value(rule, leverage) for rule in rules)),
        tuple(_fact_words(f"{venue.name} in {rule.place}", rule.fact) for rule in rules),
        (asked,),
        weakest(*(rule.fact.confidence for rule in rules)),
        oldest(rule.fact.as_of for rule in rules),
    )


def all_of(*answers: str) -> str:
    """Combine answers that must all leave a plan open: one refusal settles it.

    Parameters
    ----------
    *answers : str
        At least one of ``ANSWERS``.

    Examples
    --------
    >>> all_of("not refused", "unknown"), all_of("unknown", "refused")
    ('unknown', 'refused')
    """
    return min(_checked(answers), key=ANSWERS.index)


def any_of(*answers: str) -> str:
    """Combine answers of which one that leaves a plan open is enough.

    Parameters
    ----------
    *answers : str
        At least one of ``ANSWERS``.

    Examples
    --------
    >>> any_of("refused", "not refused"), any_of("refused", "unknown")
    ('not refused', 'unknown')
    """
    return max(_checked(answers), key=ANSWERS.index)


def _checked(answers: tuple[str, ...]) -> tuple[str, ...]:
    if not answers:
        raise ValueError("answers must hold at least one answer, were none; give 'unknown'")
    for answer in answers:
        checked_choice("answer", answer, list(ANSWERS))
    return answers


def _rule_value(rule: LegalRule, leverage: float) -> str:
    if rule.confidence in ("background", "disputed") or not rule.is_known:
        return "unknown"
    if rule.status == "banned" or leverage > rule.max_leverage:
        return "refused"
    has_number = leverage <= rule.max_leverage < float("inf")
    return "unknown" if rule.status == "restricted" and not has_number else "not refused"


def _place_value(rule: PlaceRule, leverage: float) -> str:
    if rule.fact.confidence in ("background", "disputed"):
        return "unknown"
    if rule.fact.value in CLOSED:
        return str(rule.fact.value)
    if leverage > rule.max_leverage:
        return "refused"
    limited_by_number = rule.fact.value == "limited" and rule.max_leverage < float("inf")
    return "not refused" if rule.fact.value == "served" or limited_by_number else "unknown"


def _rule_words(rule: LegalRule) -> str:
    note = f": {rule.note.rstrip('.')}" if rule.note else ""
    return (
        f"{rule.place}, {rule.product} for {rule.clients}: {rule.status}, {rule.limit}{note} "
        f"({rule.confidence}: {rule.source}, {rule.as_of})"
    )


def _fact_words(about: str, fact: Fact) -> str:
    note = f": {fact.note.rstrip('.')}" if fact.note else ""
    return f"{about}: {fact.value}{note} ({fact.confidence}: {fact.source}, {fact.as_of})"
