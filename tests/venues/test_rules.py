"""Venues choose among a few named rules, and the rules give the venues' own numbers."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leverage as lv
from leverage import LONG, SHORT, venues
from leverage.venues import (
    LIQUIDATION_RULES,
    Product,
    UnknownFactError,
    liquidation_price_at,
    load_venue,
    venue_names,
)
from leverage.venues.rules import week_cost

PRODUCTS = [product for name in venue_names() for product in load_venue(name).products]
PACKAGE = Path(lv.__file__).parent
SOURCES = sorted([*PACKAGE.glob("*.py"), *Path(venues.__file__).parent.glob("*.py")])
# One reader for each interface; nothing else may know whose facts it handles.
INTERFACES = {"fetching.py"}


def product(venue: str, id: str, on: str | None = None) -> Product:
    return load_venue(venue, on=on).product(id)


def code_words(source: str) -> list[str]:
    """Every name and text of a module that is not a docstring."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    words = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                words.append(node.value)
        elif isinstance(node, ast.Name):
            words.append(node.id)
        elif isinstance(node, ast.Attribute):
            words.append(node.attr)
    return words


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name not in INTERFACES], ids=lambda path: path.name
)
def test_no_code_knows_a_venue_by_name(path: Path) -> None:
    words = code_words(path.read_text(encoding="utf-8"))
    assert not [word for word in words for name in venue_names() if name in word.lower()]


def test_that_check_would_see_a_venue_in_a_condition() -> None:
    assert "bybit" in code_words('"""About bybit."""\nif venue == "bybit":\n    pass\n')
    assert "bybit" not in code_words('"""bybit"""\n')


def test_every_rule_is_used_and_every_product_names_one_or_none() -> None:
    days = ["2025-09-01", "2025-09-02"]
    named = {
        product.fact("liquidation_rule").value
        for day in days
        for name in venue_names()
        for product in load_venue(name, on=day).products
    }
    assert named == {*LIQUIDATION_RULES, "unknown"}


# ---- numbers that the venues published; sources in the data


def test_bybit_example_of_its_change_of_rules() -> None:
    before, since = (
        liquidation_price_at(
            product("bybit", "linear", on=day), LONG, 20_000, 1, 400, leverage=50, asset="BTC"
        )
        for day in ("2025-09-01", "2025-09-02")
    )
    assert before == pytest.approx(19_700.00, abs=0.005)
    assert since == pytest.approx(19_698.49, abs=0.005)


@pytest.mark.parametrize(
    ("side", "entry", "leverage", "shown"),
    [(LONG, 1_198.45, 4.2, 919.1), (SHORT, 2_001.2664065, 10, 2_191.35)],
)
def test_bybit_reported_prices_of_2022_are_rounded_to_the_tick_against_the_position(
    side: int, entry: float, leverage: float, shown: float
) -> None:
    linear = product("bybit", "linear", on="2022-12-31")
    margin = 0.1 * entry / leverage
    price = liquidation_price_at(linear, side, entry, 0.1, margin, leverage=leverage, asset="ETH")
    assert lv.displayed_price(side, price, 0.05) == pytest.approx(shown)


def test_bitget_isolated_price_of_an_api_sample() -> None:
    price = liquidation_price_at(
        product("bitget", "usdt_futures"), LONG, 25_000, 0.01, 9.669505009337334, leverage=20
    )
    assert price == pytest.approx(24_144.1124161807, abs=1e-8)


def test_kraken_inverse_example() -> None:
    futures = product("kraken", "futures_inverse")
    price = liquidation_price_at(futures, LONG, 8_000, 1_000, 0.01, leverage=12)
    assert price == pytest.approx(7_481, abs=0.5)


def test_binance_coin_margined_price_of_an_api_answer() -> None:
    price = liquidation_price_at(
        product("binance", "coin_futures"), LONG, 37_643.10000021, 2, 0.00268058, leverage=2
    )
    assert price == pytest.approx(25_119.9744576, abs=0.05)


def test_primexbt_closes_where_equity_equals_used_margin() -> None:
    price = liquidation_price_at(
        product("primexbt", "cfd_margin"), LONG, 100_000, 1, 3_000, leverage=100
    )
    assert price == pytest.approx(98_000)


def test_kraken_spot_margin_closes_at_the_second_level() -> None:
    # Long 1 BTC from 20 000 at 5x with 10 000 in the account: 0.4 * 4 000 - 10 000 + 20 000.
    spot = product("kraken", "spot_margin")
    assert liquidation_price_at(spot, LONG, 20_000, 1, 10_000, leverage=5) == pytest.approx(11_600)
    # Short 0.2 BTC from 50 000 at 5x with 5 000: (5 000 + 10 000) / (0.2 + 0.4 * 0.2 / 5).
    short = liquidation_price_at(spot, SHORT, 50_000, 0.2, 5_000, leverage=5)
    assert short == pytest.approx(15_000 / 0.216)


def test_lower_leverage_is_liquidated_earlier_on_kraken_spot_margin() -> None:
    spot = product("kraken", "spot_margin")
    two, five = (
        liquidation_price_at(spot, LONG, 20_000, 1, 10_000, leverage=leverage)
        for leverage in (2, 5)
    )
    assert two > five


@pytest.mark.parametrize(("side", "price"), [(LONG, 44_000), (SHORT, 70_000 / 1.1)])
def test_binance_cross_margin_closes_where_assets_are_110_percent_of_debt(
    side: int, price: float
) -> None:
    # Long 1 BTC from 50 000 with 10 000 of its own owes 40 000; 1.1 * 40 000 = 44 000.
    # Short 1 BTC from 60 000 with 10 000: (10 000 + 60 000) / (1 * P) = 1.1.
    entry = 50_000 if side == LONG else 60_000
    spot = product("binance", "cross_margin")
    found = liquidation_price_at(spot, side, entry, 1, 10_000, leverage=5)
    assert found == pytest.approx(price)
    assets, debt = (found, 40_000) if side == LONG else (70_000, found)
    assert lv.margin_level(assets, debt) == pytest.approx(1.1)


def test_long_without_debt_has_no_liquidation_price_in_binance_cross_margin() -> None:
    spot = product("binance", "cross_margin")
    assert liquidation_price_at(spot, LONG, 50_000, 1, 50_000, leverage=1) == 0.0


def test_mexc_tier_follows_the_quantity() -> None:
    futures = product("mexc", "futures", on="2024-12-31")
    # 20 BTC are in the second level, 0.8 %, at every price; taker fee 0.01 %.
    price = liquidation_price_at(futures, LONG, 50_000, 20, 100_000, leverage=10)
    assert price == pytest.approx((20 * 50_000 - 100_000) / (20 * (1 - 0.008 - 0.0001)))


def test_closing_fee_inside_means_an_earlier_liquidation() -> None:
    at_mark, inside = (
        liquidation_price_at(product(venue, "usdt_futures"), LONG, 50_000, 1, 5_000, leverage=10)
        for venue in ("binance", "bitget")
    )
    assert inside > at_mark


@given(
    side=st.sampled_from([LONG, SHORT]),
    entry=st.floats(1_000, 200_000),
    notional=st.floats(1e3, 5e8),
    leverage=st.floats(1.5, 150),
)
def test_equity_equals_the_requirement_at_the_price(
    side: int, entry: float, notional: float, leverage: float
) -> None:
    futures = product("binance", "usdt_futures")
    table = futures.tiers("BTC").table("given")
    quantity, margin = notional / entry, notional / leverage
    if table.maintenance_margin(notional) >= margin:
        return
    price = liquidation_price_at(futures, side, entry, quantity, margin, leverage=leverage)
    equity = lv.equity(side, entry, price, quantity, margin)
    assert equity == pytest.approx(table.maintenance_margin(quantity * price), rel=1e-9)


# ---- what is unknown


MISSING = {
    ("gemini", "perpetual"): "perpetual.maintenance_limit",
    ("primexbt", "crypto_futures"): "crypto_futures.liquidation_rule",
    ("bitget", "coin_futures"): "coin_futures.liquidation_rule",
}


@pytest.mark.parametrize(
    ("venue", "id"), [("bitget", "usdt_futures"), ("kraken", "futures_linear")]
)
def test_unknown_reading_of_a_table_matters_only_above_the_first_tier(venue: str, id: str) -> None:
    futures = product(venue, id)
    small = liquidation_price_at(futures, LONG, 100_000, 1, 10_000, leverage=10)
    assert 0 < small < 100_000
    with pytest.raises(UnknownFactError) as caught:
        liquidation_price_at(futures, LONG, 100_000, 30, 300_000, leverage=10)
    assert caught.value.fact == f"{id}.tier_method"


def test_position_that_falls_into_the_first_tier_needs_no_reading() -> None:
    # Entered at 210 000 USDT, above the first bound of 200 000; liquidated near 189 000.
    futures = product("bitget", "usdt_futures")
    price = liquidation_price_at(futures, LONG, 100_000, 2.1, 21_000, leverage=10)
    assert 2.1 * price < 200_000


def test_size_above_a_partial_table_is_unknown_and_above_a_whole_one_an_error() -> None:
    with pytest.raises(UnknownFactError, match=r"nothing is known above 2000000 USDT") as caught:
        liquidation_price_at(product("bybit", "linear"), LONG, 100_000, 25, 250_000, leverage=10)
    assert caught.value.fact == "linear.tiers.BTCUSDT"
    with pytest.raises(ValueError, match=r"size must be at most 1800000000 USDT, the end of the"):
        liquidation_price_at(product("binance", "usdt_futures"), LONG, 1e5, 2e4, 2e9, leverage=1)


def test_short_that_grows_out_of_a_partial_table_is_unknown() -> None:
    futures = product("bybit", "linear")
    assert liquidation_price_at(futures, SHORT, 100_000, 10, 200_000, leverage=5) > 100_000
    with pytest.raises(UnknownFactError, match=r"linear\.tiers\.BTCUSDT"):
        liquidation_price_at(futures, SHORT, 100_000, 19, 380_000, leverage=5)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: f"{p.venue}-{p.id}")
def test_every_product_gives_a_price_or_names_what_is_missing(product: Product) -> None:
    missing = MISSING.get((product.venue, product.id))
    unknown = None
    try:
        assert liquidation_price_at(product, SHORT, 50_000, 1, 30_000, leverage=2) > 50_000
    except UnknownFactError as error:
        unknown = error.fact
    assert unknown == missing, f"write it into {product.venue}.toml, or mend MISSING in this file"


# ---- holding


def test_week_of_funding_is_twenty_one_payments_of_eight_hours() -> None:
    futures = product("binance", "usdt_futures")
    assert week_cost(futures, LONG, 50_000, 2, 5_000, funding_rate=0.0001) == pytest.approx(210)
    assert week_cost(futures, SHORT, 50_000, 2, 5_000, funding_rate=0.0001) == pytest.approx(-210)


def test_week_of_rollover_is_one_opening_and_forty_two_rollovers() -> None:
    spot = product("kraken", "spot_margin")
    assert week_cost(spot, LONG, 50_000, 1, 10_000) == pytest.approx(50_000 * 0.00025 * 43)
    assert week_cost(spot, SHORT, 50_000, 1, 10_000) == pytest.approx(50_000 * 0.0001 * 43)


def test_week_of_a_perpetual_needs_a_funding_rate() -> None:
    with pytest.raises(ValueError, match=r"funding_rate must be given for usdt_futures of binance"):
        week_cost(product("binance", "usdt_futures"), LONG, 50_000, 1, 5_000)


def test_week_of_a_loan_needs_its_interest_rate() -> None:
    with pytest.raises(UnknownFactError) as caught:
        week_cost(product("binance", "cross_margin"), LONG, 50_000, 1, 10_000)
    assert caught.value.fact == "cross_margin.interest_rate"
