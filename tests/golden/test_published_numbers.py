"""Worked numbers that venues publish, recomputed with the functions that learners use.

Each row names where the number stands and when it was published or read. The tolerance is half a
unit of the last digit printed, unless a row says otherwise. "Fixture" is a recorded answer of the
venue's API, kept in the test-suite of the open-source project named.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import leverage as lv
from leverage import LONG, SHORT


class Published(NamedTuple):
    """One published number, and the call that must reproduce it."""

    name: str
    compute: Callable[[], Any]
    expected: float
    tolerance: float
    source: str


KRAKEN = "Kraken support 360022835671, Equity Protection Process, read 2026-11-22"
BINANCE_FAQ = (
    "Binance FAQ b3c689c1f50a44cabb3a84e663b81d93, How to Calculate Liquidation Price of USD-M "
    "Futures Contracts, 2020-08-14; numbers as in freqtrade's test_binance.py, read 2026-11-22"
)
BINANCE_2020 = (
    "Binance API documentation payload of 2020, nautilus_trader fixture "
    "http_futures_account_positions_hedge.json, read 2026-11-22; rate and amount are those of the "
    "50 000-250 000 tier of the 2020 BTCUSDT table"
)
BINANCE_CCXT = "Binance API answer recorded in ccxt 4.5.90, parse_position_risk, read 2026-11-22"
BITGET = "Bitget API documentation payload, Bitget.Net fixture GetPosition.txt, read 2026-11-22"
BYBIT_DOCS = "Bybit API documentation v5, position.mdx response example, read 2026-11-22"
CCXT_BYBIT = "Bybit API answer recorded in ccxt's bybit.json, read 2026-11-22"
KRAKEN_MARGIN = "Kraken support 203053156, Margin trading examples, read 2026-11-22"
MEXC_BLOG = "MEXC blog, Liquidation in Futures, read 2026-11-22"
MEXC_CCXT = "MEXC API answer recorded in ccxt 4.5.90, parse_position, read 2026-11-22"

# Wallet of the 2020 hedge-mode long: isolated margin as reported, less its unrealised profit.
BINANCE_2020_WALLET = 15_517.54150468 - 2_316.8342356
# Cross margin left for the BTC leg: wallet plus the profit of the ETH leg less its requirement.
BINANCE_CROSS_BACKING = (
    1_535_443.01
    + lv.pnl(LONG, 1_456.84, 1_335.18, 3_683.979)
    - lv.maintenance_margin(lv.notional(1_335.18, 3_683.979), 0.1, maintenance_amount=135_365)
)

PUBLISHED = [
    # Profit, notional, average entry
    Published(
        "binance_linear_long_pnl",
        lambda: lv.pnl(LONG, 6_563.665, 6_679.50671178, 20),
        2_316.8342356,
        1e-6,
        BINANCE_2020,
    ),
    Published(
        "bybit_linear_long_loss",
        lambda: lv.pnl(LONG, 0.3615, 0.3432, 100),
        -1.83,
        1e-9,
        "Bybit API answer recorded in ccxt 4.5.90, parse_position, read 2026-11-22",
    ),
    Published(
        "kraken_short_margin_loss",
        lambda: lv.pnl(SHORT, 50_000, 65_200, 0.2),
        -3_040,
        1e-9,
        KRAKEN_MARGIN,
    ),
    Published(
        "kraken_short_margin_equity",
        lambda: lv.equity(SHORT, 50_000, 65_200, 0.2, 5_000),
        1_960,
        1e-9,
        KRAKEN_MARGIN,
    ),
    Published(
        "mexc_contract_size_pnl",
        lambda: lv.pnl(LONG, 0.03491, 0.03494, 1_141, contract_size=10),
        0.3423,
        1e-9,
        MEXC_CCXT,
    ),
    Published(
        "bybit_inverse_short_loss",
        lambda: lv.pnl(SHORT, 27_464.50441675, 28_224.5, 300, inverse=True),
        -0.00029413,
        1e-8,
        BYBIT_DOCS,
    ),
    Published(
        "bybit_inverse_position_value",
        lambda: lv.notional(27_464.50441675, 300, inverse=True),
        0.01092319,
        5e-9,
        BYBIT_DOCS,
    ),
    Published(
        "binance_inverse_notional",
        lambda: lv.notional(38_103.05510455, 2, contract_size=100, inverse=True),
        0.00524892,
        5e-9,
        BINANCE_CCXT,
    ),
    Published(
        "bybit_inverse_average_entry",
        lambda: lv.average_entry_price([10_000, 15_000], [50, 50], inverse=True),
        12_000,
        1e-6,
        "Bybit help centre, How to Calculate Average Entry Price, read 2026-11-22",
    ),
    Published(
        "bybit_inverse_target_price",
        lambda: lv.target_price(LONG, 7_000, 5, 0.2, inverse=True),
        7_292,
        0.5,
        "Bybit help centre, contract calculator ('about 7,292'), read 2026-11-22",
    ),
    # Initial and maintenance margin
    Published(
        "binance_initial_margin_at_the_mark_price",
        lambda: lv.initial_margin(lv.notional(2.3956, 5), 5),
        2.3956,
        1e-8,
        BINANCE_CCXT,
    ),
    Published(
        "mexc_initial_margin",
        lambda: lv.initial_margin(lv.notional(50_000, 0.1), 25),
        200,
        1e-9,
        MEXC_BLOG,
    ),
    Published(
        "mexc_maintenance_margin",
        lambda: lv.maintenance_margin(lv.notional(50_000, 0.1), 0.004),
        20,
        1e-9,
        MEXC_BLOG,
    ),
    Published(
        "kraken_inverse_initial_margin",
        lambda: lv.initial_margin(lv.notional(8_000, 1_000, inverse=True), 50),
        0.0025,
        1e-9,
        KRAKEN,
    ),
    # Bankruptcy
    Published(
        "bybit_linear_bankruptcy",
        lambda: lv.bankruptcy_price(LONG, 10_000, 1, 200),
        9_800,
        1e-9,
        "Bybit help centre, Bankruptcy Price (USDT Contract), read 2026-11-22",
    ),
    Published(
        "bybit_inverse_bankruptcy_25x",
        lambda: lv.bankruptcy_price(
            LONG,
            6_400,
            10_000,
            lv.initial_margin(lv.notional(6_400, 10_000, inverse=True), 25),
            inverse=True,
        ),
        6_154,
        0.5,
        "Bybit inverse order-cost example as restated by mobie.io, read 2026-11-22",
    ),
    Published(
        "bybit_inverse_bankruptcy_with_closing_fee",
        lambda: lv.bankruptcy_price(
            LONG, 8_000, 10_000, 0.5, closing_fee_rate=0.00075, inverse=True
        ),
        5_718.57,
        0.01,
        "Bybit help centre 360039261334 (rules before 2025-09-02), read 2026-11-22",
    ),
    Published(
        "kraken_inverse_bankruptcy",
        lambda: lv.bankruptcy_price(LONG, 8_000, 1_000, 0.01, inverse=True),
        7_407,
        0.5,
        KRAKEN,
    ),
    # Liquidation, requirement measured at the mark price
    Published(
        "binance_isolated_long_liquidation",
        lambda: lv.liquidation_price(
            LONG, 32_481.98, 109.488, 1_535_443.01, 0.025, maintenance_amount=16_300
        ),
        18_778.73,
        0.005,
        BINANCE_FAQ,
    ),
    Published(
        "binance_cross_long_liquidation",
        lambda: lv.liquidation_price(
            LONG, 32_481.98, 109.488, BINANCE_CROSS_BACKING, 0.025, maintenance_amount=16_300
        ),
        26_316.89,
        0.005,
        BINANCE_FAQ,
    ),
    Published(
        "binance_reported_long_liquidation",
        lambda: lv.liquidation_price(
            LONG, 6_563.665, 20, BINANCE_2020_WALLET, 0.005, maintenance_amount=50
        ),
        5_930.78,
        0.005,
        BINANCE_2020,
    ),
    Published(
        "binance_reported_short_liquidation",
        lambda: lv.liquidation_price(
            SHORT, 6_563.86, 10, 6_570.42511771, 0.005, maintenance_amount=50
        ),
        7_189.95,
        0.005,
        BINANCE_2020,
    ),
    Published(
        "binance_inverse_liquidation",  # tolerance: the wallet is printed to 8 decimals only
        lambda: lv.liquidation_price(
            LONG, 37_643.10000021, 2, 0.00268058, 0.004, contract_size=100, inverse=True
        ),
        25_119.9744576,
        0.05,
        BINANCE_CCXT,
    ),
    Published(
        "kraken_inverse_liquidation",
        lambda: lv.liquidation_price(LONG, 8_000, 1_000, 0.01, 0.01, inverse=True),
        7_481,
        0.5,
        KRAKEN,
    ),
    Published(
        "bitget_liquidation_with_closing_fee",
        lambda: lv.liquidation_price(
            LONG, 25_000, 0.01, 9.669505009337334, 0.004, closing_fee_rate=0.0006
        ),
        24_144.1124161807,
        1e-8,
        BITGET,
    ),
    Published(
        "bitget_margin_ratio",
        lambda: lv.margin_ratio(
            lv.maintenance_margin(lv.notional(25_100, 0.01), 0.004 + 0.0006),
            lv.equity(LONG, 25_000, 25_100, 0.01, 9.669505009337334),
        ),
        0.1082149545822005,
        1e-12,
        BITGET,
    ),
    Published(
        "mexc_reported_liquidation",  # the margin reported, 0.1290338, holds one closing fee
        lambda: lv.liquidation_price(
            LONG, 1_217.3, 1, 0.1290338, 0.005, closing_fee_rate=0.0006, contract_size=0.01
        ),
        1_211.2,
        0.05,
        MEXC_CCXT,
    ),
    Published(
        "phemex_liquidation_with_closing_fee",
        lambda: lv.liquidation_price(LONG, 0.4, 500, 40.096, 0.01, closing_fee_rate=0.0006),
        0.3232,
        5e-5,
        "Phemex help centre, liq-price-for-USDTM, read 2026-11-22",
    ),
    # Fees and funding
    Published(
        "bybit_fee",
        lambda: lv.trading_fee(lv.notional(85.11, 0.1), 0.00055),
        0.00468105,
        1e-8,
        CCXT_BYBIT,
    ),
    Published(
        "bybit_closed_pnl_after_fees",
        lambda: (
            lv.pnl(LONG, 55_937.5, 55_563, 0.001)
            - lv.round_trip_cost(55_937.5, 55_563, 0.001, 0.00055)
        ),
        -0.43582528,
        1e-8,
        CCXT_BYBIT,
    ),
    Published(
        "bybit_funding_paid_by_a_long",  # the payload prints what is paid as positive
        lambda: -lv.funding_payment(LONG, 77.97, 0.1, 0.0001),
        0.0007797,
        1e-8,
        CCXT_BYBIT,
    ),
    Published(
        "primexbt_funding_paid_by_a_long",  # the page prints what is paid as positive
        lambda: -lv.funding_payment(LONG, 69_000, 1, 0.0001),
        6.9,
        1e-9,
        "PrimeXBT, Crypto Futures fees, primexbt.com/en/crypto-futures/fees, read 2026-11-22",
    ),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.name)
def test_published_number_is_reproduced(row: Published) -> None:
    assert row.compute() == pytest.approx(row.expected, rel=0, abs=row.tolerance), row.source


def test_kraken_published_liquidation_follows_from_a_requirement_at_the_mark_price() -> None:
    """The page's text says 0.00125 BTC, 1 % at the entry price; its 7 481 needs 1 % at the mark.

    Source: Kraken support 360022835671, Equity Protection Process, read 2026-11-22.
    """
    value, wallet = lv.notional(8_000, 1_000, inverse=True), 0.01
    assert lv.maintenance_margin(value, 0.01) == 0.00125
    at_mark = lv.liquidation_price(LONG, 8_000, 1_000, wallet, 0.01, inverse=True)
    # A requirement fixed in advance is lost margin: what remains may be used up entirely.
    at_entry = lv.bankruptcy_price(LONG, 8_000, 1_000, wallet - 0.00125, inverse=True)
    bankrupt = lv.bankruptcy_price(LONG, 8_000, 1_000, wallet, inverse=True)
    assert np.round([bankrupt, at_entry, at_mark], 2).tolist() == [7_407.41, 7_476.64, 7_481.48]


def test_bybit_reported_bankruptcy_prices_are_rounded_to_the_tick_against_the_position() -> None:
    """A long of 4.2x from 1 198.45 is shown 913.15, a short of 10x from 2 001.2664065 2 201.35.

    Sources: Bybit API answers in ccxt 4.5.90 (parse_position) and in Bybit.Net's fixture
    PositionUpdate.txt (stored as float32), both read 2026-11-22.
    """
    tick = 0.05
    long = lv.bankruptcy_price(LONG, 1_198.45, 0.1, 119.845 / 4.2)
    short = lv.bankruptcy_price(SHORT, 2_001.2664065, 0.04, 0.04 * 2_001.2664065 / 10)
    assert math.ceil(long / tick) * tick == pytest.approx(913.15, abs=1e-6)
    assert math.floor(short / tick) * tick == pytest.approx(2_201.350098, abs=0.0002)


def test_wrong_published_liquidation_price_is_not_reproduced() -> None:
    """A copy of MEXC's example prints 51 800 for a long from 50 000 at 25x; MEXC says 48 200.

    Sources: makeyousmile.net (wrong) and the MEXC blog, Liquidation in Futures, read 2026-11-22.
    MEXC's 48 200 measures the requirement, 20 USDT, at the entry price.
    """
    at_mark = lv.liquidation_price(LONG, 50_000, 0.1, 200, 0.004)
    at_entry = lv.bankruptcy_price(LONG, 50_000, 0.1, 200 - 20)
    assert at_entry == pytest.approx(48_200)
    assert at_mark == pytest.approx(48_192.77, abs=0.005)
    assert at_mark < 50_000 < 51_800
