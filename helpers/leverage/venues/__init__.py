"""Seven trading venues as dated data, and the few liquidation rules they choose from.

Each venue has a file of facts; each fact has its source, the date it held and how sure it is.
What is unknown is the word ``"unknown"``, and arithmetic that needs it raises `UnknownFactError`.
"""

from leverage.venues.comparison import TradeAtVenue, compare
from leverage.venues.decision import (
    FACTORS,
    LOWER_IS_BETTER,
    TurningPoint,
    platform_factors,
    scaled_scores,
    score_factors,
    turning_points,
    weighted_scores,
)
from leverage.venues.law import LegalRule, legal_rules, places
from leverage.venues.loader import claims, facts_in_use, load_venue, venue_names
from leverage.venues.overview import facts_older_than, venue_table, weak_facts
from leverage.venues.provenance import CONFIDENCES, Source
from leverage.venues.records import (
    NOT_APPLICABLE,
    UNKNOWN,
    VERDICTS,
    Claim,
    Fact,
    PlaceRule,
    Product,
    Tier,
    TierData,
    UnknownFactError,
    Venue,
)
from leverage.venues.rules import LIQUIDATION_RULES, liquidation_price_at

__all__ = [
    "CONFIDENCES",
    "FACTORS",
    "LIQUIDATION_RULES",
    "LOWER_IS_BETTER",
    "NOT_APPLICABLE",
    "UNKNOWN",
    "VERDICTS",
    "Claim",
    "Fact",
    "LegalRule",
    "PlaceRule",
    "Product",
    "Source",
    "Tier",
    "TierData",
    "TradeAtVenue",
    "TurningPoint",
    "UnknownFactError",
    "Venue",
    "claims",
    "compare",
    "facts_in_use",
    "facts_older_than",
    "legal_rules",
    "liquidation_price_at",
    "load_venue",
    "places",
    "platform_factors",
    "scaled_scores",
    "score_factors",
    "turning_points",
    "venue_names",
    "venue_table",
    "weak_facts",
    "weighted_scores",
]
