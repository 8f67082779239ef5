"""Several positions on one collateral: against hand arithmetic, and against going step by step."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leverage import (
    LONG,
    SHORT,
    Positions,
    TierTable,
    contagion,
    correlation,
    cross_liquidation_prices,
    liquidation_price,
    liquidation_shock,
    margin_ratio,
    portfolio_equity,
    portfolio_requirement,
    portfolio_volatility,
    tiered_liquidation_price,
)

FLAT = TierTable.flat(0.005)
STEPS = TierTable.marginal([0, 8_000, 12_000, 1e6], [0.005, 0.02, 0.1])
COINS = ["BTC", "ETH"]
BOOK = Positions([LONG, SHORT], [50_000, 3_000], [0.2, 4], FLAT, coin=COINS)
LONGS = Positions([LONG, LONG], [50_000, 3_000], [0.2, 4], [STEPS, FLAT], coin=COINS)
hurry = settings(deadline=None, max_examples=settings.default.max_examples)


def ratio(book: Positions, prices: object, balance: float) -> float:
    """Margin ratio of the account."""
    return margin_ratio(
        portfolio_requirement(book, prices), portfolio_equity(book, prices, balance)
    )


def is_dead(book: Positions, path: object, balance: float) -> np.ndarray:
    """Whether the equity is at or below the requirement, for each row of prices."""
    return np.asarray(portfolio_equity(book, path, balance)) <= portfolio_requirement(book, path)


def test_profits_and_requirements_add_up() -> None:
    # Long: 0.2 * -1 000 = -200; short: 4 * -100 = -400. Requirement: 0.5 % of 9 800 + 12 400.
    assert portfolio_equity(BOOK, [49_000, 3_100], 1_000) == pytest.approx(400)
    assert portfolio_requirement(BOOK, [49_000, 3_100]) == pytest.approx(111)
    assert ratio(BOOK, [49_000, 3_100], 1_000) == pytest.approx(111 / 400)


def test_each_position_has_its_own_tier_table() -> None:
    # 8 000 * 0.5 % + 2 000 * 2 % = 80, and 12 000 * 0.5 % = 60.
    assert portfolio_requirement(LONGS, [50_000, 3_000]) == pytest.approx(140)


def test_inverse_positions_and_the_coin_that_backs_them_are_valued_at_the_mark() -> None:
    book = Positions(
        [LONG, SHORT],
        [8_000, 9_000],
        [1_000, 500],
        FLAT,
        coin="BTC",
        inverse=True,
        collateral={"BTC": 0.01},
    )
    coins = 0.01 + 1_000 * (1 / 8_000 - 1 / 10_000) - 500 * (1 / 9_000 - 1 / 10_000)
    assert portfolio_equity(book, [10_000], 0) == pytest.approx(coins * 10_000)
    # 0.5 % of the faces, whatever the price.
    assert portfolio_requirement(book, [10_000]) == pytest.approx(0.005 * 1_500)


def test_a_hundred_contracts_of_a_hundredth_are_one_coin() -> None:
    coins = Positions([LONG, SHORT], [50_000, 3_000], [0.2, 4], [STEPS, FLAT], coin=COINS)
    contracts = Positions(
        [LONG, SHORT],
        [50_000, 3_000],
        [20, 40],
        [STEPS, FLAT],
        coin=COINS,
        contract_size=[0.01, 0.1],
    )
    prices, shocks = [49_000, 3_100], [-0.05, 0.10]
    assert portfolio_equity(contracts, prices, 1_000) == portfolio_equity(coins, prices, 1_000)
    assert portfolio_requirement(contracts, prices) == portfolio_requirement(coins, prices)
    assert liquidation_shock(contracts, prices, 1_000, shocks) == pytest.approx(
        liquidation_shock(coins, prices, 1_000, shocks)
    )
    more = {"coin": "BTC", "inverse": True, "collateral": {"BTC": 0.01}}
    coin = Positions([LONG], [8_000], [10], FLAT, contract_size=100, **more)
    dollars = Positions([LONG], [8_000], [1_000], FLAT, **more)
    for book in (coin, dollars):
        assert portfolio_equity(book, [10_000], 0) == pytest.approx(350)
        assert portfolio_requirement(book, [10_000]) == pytest.approx(5)


def test_every_row_of_prices_has_its_own_sum() -> None:
    rows = [[49_000, 3_100], [50_000, 3_000], [51_000, 2_900]]
    assert portfolio_equity(BOOK, rows, 1_000) == pytest.approx([400, 1_000, 1_600])
    assert portfolio_requirement(BOOK, rows) == pytest.approx([111, 110, 109])


def test_one_position_alone_is_liquidated_where_it_would_be_in_isolated_margin() -> None:
    alone = Positions(LONG, 50_000, 0.2, FLAT, coin="BTC")
    assert len(alone) == 1
    assert cross_liquidation_prices(alone, [47_000], 1_000) == pytest.approx(
        [liquidation_price(LONG, 50_000, 0.2, 1_000, 0.005)]
    )


def test_cross_liquidation_prices_know_the_contract() -> None:
    # 20 contracts of 0.01: 1 000 + 0.2 P - 10 000 = 0.005 * 0.2 P.
    linear = Positions([LONG], [50_000], [20], FLAT, coin="BTC", contract_size=0.01)
    assert cross_liquidation_prices(linear, [50_000], 1_000) == pytest.approx(9_000 / 0.199)
    # 10 contracts of 100 USD, 0.02 BTC at entry: 0.002 + 0.02 - 1 000 / P = 0.005 * 1 000 / P.
    more = {"coin": "BTC", "inverse": True, "collateral": {"BTC": 0.002}}
    coin = Positions([LONG], [50_000], [10], FLAT, contract_size=100, **more)
    assert cross_liquidation_prices(coin, [50_000], 0) == pytest.approx(1_005 / 0.022)


def test_a_loss_in_one_position_brings_the_other_nearer_to_liquidation() -> None:
    # The second loses 4 * 150 = 600, which leaves 400 - 57 of requirement for the first.
    prices = cross_liquidation_prices(LONGS, [50_000, 2_850], 1_000)
    alone = tiered_liquidation_price(
        LONG, 50_000, 0.2, 1_000, STEPS, other_pnl=-600, other_requirement=57
    )
    assert prices[0] == pytest.approx(alone)
    assert prices[0] > cross_liquidation_prices(LONGS, [50_000, 3_000], 1_000)[0]


def test_at_a_cross_liquidation_price_the_margin_ratio_is_one() -> None:
    prices = np.array([49_500.0, 2_950.0])
    there = cross_liquidation_prices(LONGS, prices, 1_000)
    for column in range(2):
        moved = prices.copy()
        moved[column] = there[column]
        assert ratio(LONGS, moved, 1_000) == pytest.approx(1, rel=1e-9)


def test_beyond_a_jump_the_liquidation_price_is_looked_for_from_the_mark() -> None:
    # Above 1 000 000 the 2 % for the whole position leave no room: 9 950 - 990 000 + n = 0.02 n.
    jump = TierTable([0, 1e6, 2e6, 1e9], [0.01, 0.02, 0.025])
    book = Positions([LONG], [49_500], [20], jump, coin="BTC")
    above, below = 980_050 / 0.98 / 20, 980_050 / 0.99 / 20
    prices = cross_liquidation_prices(book, [[51_000], [49_900]], 9_950)
    assert prices == pytest.approx(np.array([[above], [below]]))
    assert ratio(book, [above], 9_950) == pytest.approx(1)
    dead = is_dead(book, [[51_000], [above + 0.01], [above - 0.01]], 9_950)
    assert dead.tolist() == [False, False, True]
    assert contagion(book, [49_900], 9_950, [0.03]) == pytest.approx(np.array([[above]]))


@settings(deadline=None, max_examples=settings.default.max_examples * 60 // 100)
@given(
    st.sampled_from([LONG, SHORT]),
    st.booleans(),
    st.floats(1.0, 1.5),
    st.floats(0.99, 1.21),
    st.floats(0.004, 0.02),
)
def test_no_mark_is_dead_before_the_cross_liquidation_price(
    side: int, inverse: bool, gain: float, value: float, margin: float
) -> None:
    entry = 50_000.0
    size = value * entry if inverse else value / entry
    jumps = TierTable([0, 1, 1.2, 1.5, 9], [0.004, 0.01, 0.02, 0.03])
    held = {"BTC": value * margin} if inverse else {}
    book = Positions([side], [entry], [size], jumps, coin="BTC", inverse=inverse, collateral=held)
    mark, balance = entry * gain**side, 0.0 if inverse else value * margin
    assume(ratio(book, [mark], balance) < 1)
    (price,) = cross_liquidation_prices(book, [mark], balance)
    assume(abs(price - mark) > 1e-6 * mark)
    assert side * (mark - price) > 0
    way = np.geomspace(mark, price * (1 + side * 1e-7), 300)[:, None]
    assert not is_dead(book, way, balance).any()
    # A requirement that is only touched, where the tier below begins, is none.
    assume(
        ratio(book, way[-1], balance) < 1 - 1e-6
        or is_dead(book, [price * (1 - side * 1e-7)], balance)
    )
    assert is_dead(book, [price * (1 - side * 1e-7)], balance)


def test_contagion_moves_one_price_at_a_time() -> None:
    matrix = contagion(LONGS, [50_000, 3_000], 1_000, [-0.04, -0.05])
    assert matrix[0] == pytest.approx(cross_liquidation_prices(LONGS, [48_000, 3_000], 1_000))
    assert matrix[1] == pytest.approx(cross_liquidation_prices(LONGS, [50_000, 2_850], 1_000))
    still = cross_liquidation_prices(LONGS, [50_000, 3_000], 1_000)
    assert np.diag(matrix) == pytest.approx(still)
    assert matrix[1, 0] > still[0]


def test_many_paths_at_once_equal_each_alone() -> None:
    paths = 1 + 0.02 * np.random.default_rng(7).standard_normal((6, 30, 2)).cumsum(axis=1)
    paths = np.maximum(paths, 0.2) * [50_000, 3_000]
    alone = [is_dead(BOOK, path, 900).tolist() for path in paths]
    assert is_dead(BOOK, paths, 900).tolist() == alone
    assert any(map(any, alone))


def test_shock_that_liquidates_matches_hand_calculation() -> None:
    # Longs of 10 000 and 12 000 fall by 5 % and 10 %: 1 000 - 1 700 t = 0.005 (22 000 - 1 700 t).
    book = Positions([LONG, LONG], [50_000, 3_000], [0.2, 4], FLAT, coin=COINS)
    strength = liquidation_shock(book, [50_000, 3_000], 1_000, [-0.05, -0.10])
    assert strength == pytest.approx(890 / 1_691.5)


def test_no_shock_may_be_enough_and_none_may_be_needed() -> None:
    assert liquidation_shock(BOOK, [50_000, 3_000], 100_000, [-0.1, -0.1]) == math.inf
    assert liquidation_shock(BOOK, [50_000, 3_000], 100, [-0.1, -0.1]) == 0
    assert liquidation_shock(BOOK, [50_000, 3_000], 1_000, 0) == math.inf
    assert liquidation_shock(
        Positions(SHORT, 100, 1, FLAT, coin="BTC"), [100], 50, 1
    ) == pytest.approx((150 / 1.005 - 100) / 100)


@hurry
@given(
    st.lists(st.sampled_from([LONG, SHORT]), min_size=3, max_size=3),
    st.lists(st.floats(-0.9, 0.9), min_size=3, max_size=3),
    st.floats(10, 3_000),
)
def test_the_account_lives_below_the_strength_found_and_not_above(
    sides: list[int], shocks: list[float], balance: float
) -> None:
    prices = np.array([100.0, 50.0, 20.0])
    book = Positions(
        sides, [101.0, 49.0, 20.0], [90, 170, 500], [STEPS, FLAT, STEPS], coin=["A", "B", "C"]
    )
    strength = liquidation_shock(book, prices, balance, shocks)
    worst = -min(shocks)
    last = min(0.999 / worst, 50.0) if worst > 0 else 50.0

    def lives(at: float) -> Any:
        moved = prices * (1 + at * np.array(shocks))
        return portfolio_equity(book, moved, balance) > portfolio_requirement(book, moved)

    if strength == 0:
        assert not lives(0)
        return
    assert all(lives(at) for at in np.linspace(0, min(strength, last) * (1 - 1e-7), 60))
    assume(1e-6 < strength < last)
    assert not lives(strength * (1 + 1e-7))


def test_volatility_of_a_portfolio_matches_hand_calculation() -> None:
    # 400 and 600 at a correlation of 0.5: sqrt(160 000 + 360 000 + 240 000) = sqrt(760 000)
    matrix = [[1, 0.5], [0.5, 1]]
    value = portfolio_volatility([10_000, 10_000], [0.04, 0.06], matrix)
    assert value == pytest.approx(math.sqrt(760_000))
    assert portfolio_volatility([10_000, -10_000], 0.04, [[1, 1], [1, 1]]) == pytest.approx(0)
    assert portfolio_volatility(-10_000, 0.04, [[1]]) == pytest.approx(400)


def test_a_portfolio_whose_parts_cancel_out_has_no_volatility() -> None:
    assert portfolio_volatility([-2, 1, 1], 1, np.ones((3, 3))) == 0


def test_a_portfolio_of_any_size_has_a_volatility() -> None:
    assert portfolio_volatility([-1e-10], 0.5, [[1]]) == pytest.approx(5e-11)


def test_a_large_portfolio_hides_no_negative_variance_of_a_small_one() -> None:
    # The second has a variance of 3 - 6 * 0.9.
    impossible = [[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]
    with pytest.raises(ValueError, match=r"was -2\.4 at index 1;"):
        portfolio_volatility([[1e9, 0, 0], [1, 1, 1]], 1, impossible)


def test_correlation_is_numpy_s() -> None:
    returns = np.random.default_rng(3).standard_normal((50, 4))
    matrix = correlation(returns)
    assert matrix == pytest.approx(np.corrcoef(returns, rowvar=False))
    assert (np.diag(matrix) == 1).all()


def test_correlation_does_not_depend_on_the_unit_of_a_column() -> None:
    # Deviations -1, 0, 1 and -1, 1, 0: 1 over sqrt(2) * sqrt(2).
    for tiny in (1.0, 1e-14):
        matrix = correlation([[1 * tiny, 1], [2 * tiny, 3], [3 * tiny, 2]])
        assert matrix.tolist() == [[1, pytest.approx(0.5)], [pytest.approx(0.5), 1]]


def test_small_moves_around_a_large_mean_have_a_correlation() -> None:
    assert correlation([[1_000_000, 1], [1_000_001, 2]]) == pytest.approx(1)


def test_no_correlation_is_beyond_one_by_rounding() -> None:
    # Two rows of 0 and 1 / 7: the product of the unit columns is 1.0000000000000002.
    matrix = correlation([[0, 0, 0], [1 / 7, 3 / 7, -3 / 7]])
    assert matrix.tolist() == [[1, 1, -1], [1, 1, -1], [-1, -1, 1]]


def test_one_symbol_correlates_with_itself_alone() -> None:
    assert correlation([[0.1], [0.2]]).tolist() == [[1]]


def test_positions_compare_and_hash_by_content() -> None:
    again = Positions(
        np.array([1, -1]), [50_000.0, 3_000], [0.2, 4], (FLAT, FLAT), coin=tuple(COINS)
    )
    assert again == BOOK
    assert hash(again) == hash(BOOK)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Positions([], [], [], FLAT, coin="BTC"),
            "side must hold one value for each position, had shape (0,); "
            "give at least one position, in one dimension",
        ),
        (
            lambda: Positions([[1]], 1, 1, FLAT, coin="BTC"),
            "side must hold one value for each position, had shape (1, 1); "
            "give at least one position, in one dimension",
        ),
        (
            lambda: Positions([1, 1], 1, 1, [FLAT], coin="BTC"),
            "tiers must hold one TierTable for each of 2 positions, had 1; "
            "give one for all, or one for each",
        ),
        (
            lambda: Positions(1, 1, 1, "flat", coin="BTC"),  # type: ignore[arg-type]
            "tiers must be a TierTable, was 'flat'; "
            "make one with TierTable.from_rows or TierTable.flat",
        ),
        (
            lambda: Positions(1, 1, 1, FLAT, coin="BTC", inverse=1),  # type: ignore[arg-type]
            "inverse must be True or False, was 1; give one of the two",
        ),
        (
            lambda: portfolio_equity(BOOK, [1, 2, 3], 1),
            "prices must have a column for each of 2 coins (BTC, ETH), had shape (3,); "
            "give the columns in this order",
        ),
        (
            lambda: contagion(BOOK, [[1, 2]], 1, 0.1),
            "prices must hold one price for each coin, had shape (1, 2); "
            "give the prices of one moment",
        ),
        (
            lambda: contagion(BOOK, [1, 2], 1, [0.1, 0.1, 0.1]),
            "moves must hold one value for each of 2 coins (BTC, ETH), had shape (3,); "
            "give them in this order",
        ),
        (
            lambda: liquidation_shock(BOOK, [1, 2], 1, [0.1, 0.1, 0.1]),
            "shocks must hold one value for each of 2 coins (BTC, ETH), had shape (3,); "
            "give them in this order",
        ),
        (
            lambda: liquidation_shock(BOOK, [1, 2], [1, 2], 0.1),  # type: ignore[arg-type]
            "prices must hold one price for each coin, had shape (2,), and balance one number, "
            "had shape (2,); give one account at one moment",
        ),
        (
            lambda: Positions([1, 1], 1, 1, FLAT, coin=["BTC"]),
            "coin must hold one str for each of 2 positions, had 1; "
            "give one for all, or one for each",
        ),
        (
            lambda: Positions(1, 1, 1, FLAT, coin=None),  # type: ignore[arg-type]
            "coin must be a name, was None; give 'BTC' for bitcoin",
        ),
        (
            lambda: Positions(1, 1, 1, FLAT, coin="BTC", collateral={"BTC": math.nan}),
            "collateral must be a number, was nan at index 0; fill in or drop missing values first",
        ),
        (
            lambda: portfolio_equity(BOOK, pd.Series([1, 2]), 1),
            "prices must be an array without labels, was a Series; "
            "give prices[list(positions.coins)].to_numpy()",
        ),
        (
            lambda: portfolio_volatility([1, 2], 0.1, [[1]]),
            "correlations must have shape (2, 2), had (1, 1); "
            "give one row and one column for each notional",
        ),
        (
            lambda: portfolio_volatility([1, 2], 0.1, [[1, 0.5], [0.2, 1]]),
            "correlations must be symmetric with ones on the diagonal, was not; "
            "compute it with correlation",
        ),
        (
            lambda: portfolio_volatility(
                [1, 1, 1], 1, [[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]
            ),
            "correlations must be a matrix that gives no negative variance, was -2.4; "
            "no set of returns has such correlations",
        ),
        (
            lambda: correlation([[0.1, 0.2]]),
            "returns must have at least two rows (periods) and a column for each symbol, had "
            "shape (1, 2); give a table of returns",
        ),
        (
            lambda: correlation(np.zeros((2, 0))),
            "returns must have at least two rows (periods) and a column for each symbol, had "
            "shape (2, 0); give a table of returns",
        ),
        (
            lambda: correlation([[0.1, 0.2], [0.1, 0.3]]),
            "returns must be different from period to period in every column, was 0 at index 0; "
            "leave out symbols that do not move",
        ),
    ],
)
def test_what_makes_no_portfolio_is_rejected_with_the_whole_message(
    call: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=" must ") as caught:
        call()
    assert str(caught.value) == message


# Several positions in one coin, coins as collateral, two kinds of contract


def test_two_legs_of_one_coin_die_at_one_price() -> None:
    # 39.925 + 0.5 (P - 100) = 0.004 * 1.5 P, so P = 10.075 / 0.494.
    book = Positions([LONG, SHORT], 100, [1, 0.5], TierTable.flat(0.004), coin="BTC")
    assert cross_liquidation_prices(book, [100], 39.925) == pytest.approx([775 / 38], rel=1e-14)


def test_a_flat_hedge_dies_where_its_requirement_outgrows_the_balance() -> None:
    # 99.9 = 0.004 * 2 P.
    book = Positions([LONG, SHORT], 100, 1, TierTable.flat(0.004), coin="BTC")
    assert cross_liquidation_prices(book, [100], 99.9) == pytest.approx([12_487.5], rel=1e-14)


def test_a_coin_that_backs_a_long_of_itself_falls_with_it() -> None:
    # P + (P - 50 000) = 0.005 P at 50 000 / 1.995; without the coin, 50 000 of cash last to zero.
    backed = Positions(LONG, 50_000, 1, FLAT, coin="BTC", collateral={"BTC": 1})
    alone = Positions(LONG, 50_000, 1, FLAT, coin="BTC")
    end = 50_000 / 1.995
    assert cross_liquidation_prices(backed, [50_000], 0) == pytest.approx([end])
    assert cross_liquidation_prices(alone, [50_000], 50_000) == pytest.approx([0])
    shock = liquidation_shock(backed, [50_000], 0, [-1])
    assert shock == pytest.approx(1 - end / 50_000)
    assert liquidation_shock(alone, [50_000], 50_000, [-1]) == pytest.approx(1)


def test_a_coin_that_backs_a_short_of_itself_pays_for_it() -> None:
    # Equity 50 000 whatever the price, a requirement of 0.005 P.
    book = Positions(SHORT, 50_000, 1, FLAT, coin="BTC", collateral={"BTC": 1})
    assert cross_liquidation_prices(book, [50_000], 0) == pytest.approx([1e7])
    assert liquidation_shock(book, [50_000], 0, [1]) == pytest.approx(199)


def test_a_coin_without_a_position_has_a_liquidation_price_too() -> None:
    # 10 ETH back 0.2 BTC: 10 P - 0.2 * 1 000 = 0.005 * 0.2 * 49 000.
    book = Positions(LONG, 50_000, 0.2, FLAT, coin="BTC", collateral={"ETH": 10})
    assert book.coins == ("BTC", "ETH")
    assert cross_liquidation_prices(book, [49_000, 3_000], 0)[1] == pytest.approx(24.9)


def test_linear_and_inverse_contracts_of_one_account_share_its_equity() -> None:
    # A linear long of 1 and an inverse short of 50 000 USD: 1 000 + (P - 50 000) - (P - 50 000).
    book = Positions([LONG, SHORT], 50_000, [1, 50_000], FLAT, coin="BTC", inverse=[False, True])
    assert portfolio_equity(book, [[40_000], [60_000]], 1_000) == pytest.approx([1_000, 1_000])
    assert portfolio_requirement(book, [40_000]) == pytest.approx(200 + 250)
    # 1 000 = 0.005 P + 250.
    assert cross_liquidation_prices(book, [50_000], 1_000) == pytest.approx([150_000])


@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_an_inverse_position_backed_by_its_coin_dies_where_it_would_alone(side: int) -> None:
    table = TierTable.marginal([0, 0.05, 0.1, 10], [0.004, 0.01, 0.02])
    book = Positions(
        side, 50_000, 10_000, table, coin="BTC", inverse=True, collateral={"BTC": 0.03}
    )
    alone = tiered_liquidation_price(side, 50_000, 10_000, 0.03, table, inverse=True)
    assert cross_liquidation_prices(book, [50_000], 0) == pytest.approx([alone], rel=1e-12)


@hurry
@given(
    st.lists(
        st.tuples(
            st.sampled_from([LONG, SHORT]),
            st.floats(0.05, 3),
            st.sampled_from(COINS),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.fixed_dictionaries({}, optional={"BTC": st.floats(-1, 2), "ETH": st.floats(-1, 2)}),
    st.floats(0, 300),
)
def test_any_account_lives_up_to_its_liquidation_prices_and_not_beyond(
    legs: list[tuple[int, float, str, bool]], held: dict[str, float], balance: float
) -> None:
    table = TierTable.marginal([0, 80, 150, 1e6], [0.005, 0.02, 0.1])
    coins = TierTable.marginal([0, 0.8, 1.5, 1e6], [0.005, 0.02, 0.1])
    book = Positions(
        [side for side, *_ in legs],
        100,
        [size * (100 if inverse else 1) for _, size, _, inverse in legs],
        [coins if inverse else table for *_, inverse in legs],
        coin=[coin for *_, coin, _ in legs],
        inverse=[inverse for *_, inverse in legs],
        collateral=held,
    )
    marks = np.full(len(book.coins), 100.0)
    assume(ratio(book, marks, balance) < 0.999)
    for column, price in enumerate(cross_liquidation_prices(book, marks, balance)):
        end = price if 0 < price < math.inf else (1e-3 if price == 0 else 1e5)
        way = np.tile(marks, (200, 1))
        way[:, column] = 100 * (end / 100) ** np.linspace(0, 1 - 1e-7, 200)
        assert not is_dead(book, way, balance).any()
        if end == price:
            way[0, column] = price * (price / 100) ** 1e-6
            assert is_dead(book, way[0], balance)
