"""Price paths: the moments they promise, re-centring, correlation, seeds and refusals."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.history import load_daily, log_returns
from leverage.paths import (
    HOURS_PER_YEAR,
    block_bootstrap,
    correlated,
    gbm,
    jump_diffusion,
    regimes,
)

Maker = Callable[..., np.ndarray]
RETURNS = log_returns(load_daily("BTC")).to_numpy()
CHANGES = [[0.99, 0.01], [0.04, 0.96]]
MAKERS: dict[str, Maker] = {
    "gbm": lambda start, steps, **rest: gbm(start, 0.6, steps, **rest),
    "jump_diffusion": lambda start, steps, **rest: jump_diffusion(
        start, 0.6, steps, jumps_per_year=300, jump_mean=-0.04, jump_volatility=0.06, **rest
    ),
    "block_bootstrap": lambda start, steps, **rest: block_bootstrap(
        start, RETURNS, steps, mean_block=10, **rest
    ),
    "regimes": lambda start, steps, **rest: regimes(start, [0.4, 2.0], CHANGES, steps, **rest),
}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_maker
def test_paths_begin_at_the_start_price_and_stay_positive(make: Maker) -> None:
    prices = make(50_000, 20, paths=7, seed=1)
    assert prices.shape == (7, 21)
    assert (prices[:, 0] == 50_000).all()
    assert (prices > 0).all()


@every_maker
def test_the_same_seed_gives_the_same_paths_and_another_seed_others(make: Maker) -> None:
    assert np.array_equal(make(100, 30, paths=3, seed=5), make(100, 30, paths=3, seed=5))
    assert not np.array_equal(make(100, 30, paths=3, seed=5), make(100, 30, paths=3, seed=6))


@every_maker
def test_a_generator_is_drawn_from_where_it_stands(make: Maker) -> None:
    generator = np.random.default_rng(5)
    first, second = (make(100, 30, seed=generator) for _ in range(2))
    assert np.array_equal(first, make(100, 30, seed=5))
    assert not np.array_equal(first, second)


@every_maker
def test_prices_scale_with_the_start_price(make: Maker) -> None:
    assert make(200, 30, seed=5) == pytest.approx(2 * make(100, 30, seed=5))


@pytest.mark.parametrize("drift", [-1.0, 0.0, 2.0])
@pytest.mark.parametrize("name", ["gbm", "jump_diffusion", "regimes"])
def test_the_expected_price_grows_with_the_drift_and_nothing_else(name: str, drift: float) -> None:
    last = MAKERS[name](1.0, 200, paths=20_000, drift=drift, seed=17)[:, -1]
    error = last.std() / math.sqrt(len(last))
    assert abs(last.mean() - math.exp(drift * 200 / HOURS_PER_YEAR)) <= 4 * error


def test_the_correlated_expected_prices_grow_with_the_drift_too() -> None:
    last = correlated(
        [1.0, 1.0], [0.5, 1.5], [[1, 0.7], [0.7, 1]], 200, paths=20_000, drift=1.0, seed=17
    )[:, :, -1]
    errors = last.std(axis=1) / math.sqrt(20_000)
    assert (abs(last.mean(axis=1) - math.exp(200 / HOURS_PER_YEAR)) <= 4 * errors).all()


@pytest.mark.parametrize("step_hours", [1.0, 8.0, 24.0])
def test_log_returns_have_the_volatility_of_a_year_scaled_to_the_step(step_hours: float) -> None:
    moves = np.diff(np.log(gbm(100, 0.6, 500, paths=400, step_hours=step_hours, seed=2)))
    expected = 0.6 * math.sqrt(step_hours / HOURS_PER_YEAR)
    assert moves.std() == pytest.approx(expected, rel=0.01)


def test_jumps_come_as_often_and_as_large_as_said() -> None:
    prices = jump_diffusion(
        1.0,
        0.01,
        1_000,
        jumps_per_year=200,
        jump_mean=-0.2,
        jump_volatility=0.01,
        paths=300,
        seed=3,
    )
    moves = np.diff(np.log(prices))
    jumps = moves[moves < -0.1]
    expected = 200 * 1_000 * 300 / HOURS_PER_YEAR
    assert len(jumps) == pytest.approx(expected, abs=4 * math.sqrt(expected))
    # A few steps hold two jumps.
    assert np.median(jumps) == pytest.approx(-0.2, abs=0.01)


def test_bootstrapped_returns_are_the_real_ones_moved_to_the_wanted_mean() -> None:
    paths = block_bootstrap(1.0, RETURNS, 300, mean_block=5, paths=50, mean_return=0.001, seed=4)
    moves = np.diff(np.log(paths)).ravel()
    allowed = np.sort(RETURNS - RETURNS.mean() + 0.001)
    nearest = allowed[np.clip(np.searchsorted(allowed, moves), 1, len(allowed) - 1)]
    before = allowed[np.clip(np.searchsorted(allowed, moves) - 1, 0, len(allowed) - 1)]
    assert np.minimum(abs(moves - nearest), abs(moves - before)).max() < 1e-12


def test_the_bootstrap_takes_the_past_trend_out() -> None:
    moves = np.diff(np.log(block_bootstrap(1.0, RETURNS, 500, mean_block=1, paths=400, seed=4)))
    error = RETURNS.std() / math.sqrt(moves.size)
    assert abs(moves.mean()) <= 4 * error
    assert abs(RETURNS.mean()) > 4 * error, "otherwise there was no trend to take out"


@settings(deadline=None, max_examples=settings.default.max_examples * 25 // 100)
@given(st.floats(1, 50), st.integers(0, 1_000))
def test_blocks_go_on_in_the_order_of_the_data(mean_block: float, seed: int) -> None:
    numbers = np.arange(200, dtype=float)
    centre = numbers.mean()
    prices = block_bootstrap(1.0, numbers * 1e-6, 400, mean_block=mean_block, paths=5, seed=seed)
    drawn = np.rint(np.diff(np.log(prices)) * 1e6 + centre).astype(int) % 200
    follows = (np.diff(drawn, axis=1) % 200) == 1
    # A new block starts with probability 1 / mean_block, and anywhere.
    expected = 1 - (1 / mean_block) * (1 - 1 / 200)
    error = math.sqrt(max(expected * (1 - expected), 1e-4) / follows.size)
    assert abs(follows.mean() - expected) <= 5 * error


def test_every_real_return_is_drawn_equally_often() -> None:
    numbers = np.arange(20, dtype=float)
    prices = block_bootstrap(1.0, numbers * 1e-6, 1_000, mean_block=3, paths=400, seed=6)
    drawn = np.rint(np.diff(np.log(prices)) * 1e6 + numbers.mean()).astype(int)
    counts = np.bincount(drawn.ravel(), minlength=20)
    assert counts == pytest.approx(drawn.size / 20, rel=0.03)


def test_real_blocks_keep_wild_days_together() -> None:
    def clustering(mean_block: float) -> float:
        moves = abs(np.diff(np.log(MAKERS["block_bootstrap"](1.0, 500, paths=40, seed=8))))
        if mean_block == 1:
            moves = abs(
                np.diff(np.log(block_bootstrap(1.0, RETURNS, 500, mean_block=1, paths=40, seed=8)))
            )
        return float(np.corrcoef(moves[:, 1:].ravel(), moves[:, :-1].ravel())[0, 1])

    assert clustering(10) > 0.1
    assert abs(clustering(1)) < 0.05


@settings(deadline=None, max_examples=settings.default.max_examples * 20 // 100)
@given(st.floats(-0.45, 0.99), st.integers(0, 1_000))
def test_the_correlations_of_the_paths_are_those_asked_for(rho: float, seed: int) -> None:
    matrix = np.full((3, 3), rho)
    np.fill_diagonal(matrix, 1.0)
    prices = correlated([1, 10, 100], [0.4, 0.8, 1.2], matrix, 4_000, seed=seed)
    assert prices.shape == (3, 1, 4_001)
    found = np.corrcoef(np.diff(np.log(prices[:, 0])))
    assert abs(found - matrix).max() <= 5 / math.sqrt(4_000)


def test_perfectly_correlated_assets_move_as_one() -> None:
    one, other = correlated([1, 5], 0.6, [[1, 1], [1, 1]], 50, paths=2, seed=1)
    assert other == pytest.approx(5 * one)


def test_one_regime_is_brownian_motion() -> None:
    moves = np.diff(np.log(regimes(1.0, [0.6], [[1.0]], 2_000, paths=50, seed=1)))
    assert moves.std() == pytest.approx(0.6 / math.sqrt(HOURS_PER_YEAR), rel=0.01)


def test_regimes_fill_their_long_run_share_from_the_first_step() -> None:
    # A fifth of the time is wild: the chance to leave calm over the sum of both chances.
    prices = regimes(1.0, [1e-6, 2.0], CHANGES, 40, paths=20_000, seed=2)
    wild = abs(np.diff(np.log(prices))) > 1e-5
    for step in (0, 20, 39):
        assert wild[:, step].mean() == pytest.approx(0.2, abs=0.012)


def test_wild_spells_last_as_long_as_the_table_says() -> None:
    prices = regimes(1.0, [1e-6, 2.0], CHANGES, 20_000, paths=5, seed=2)
    wild = abs(np.diff(np.log(prices))) > 1e-5
    stays = wild[:, 1:][wild[:, :-1]].mean()
    assert stays == pytest.approx(0.96, abs=0.01)


VALID: dict[str, Callable[..., np.ndarray]] = {
    **{name: partial(make, 100, 5) for name, make in MAKERS.items()},
    "correlated": partial(correlated, [1, 2], 0.6, [[1, 0.5], [0.5, 1]], 5),
}


@pytest.mark.parametrize("make", VALID.values(), ids=VALID)
@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", None])
def test_a_seed_that_settles_nothing_is_refused(make: Maker, seed: object) -> None:
    with pytest.raises(ValueError, match=r"^seed must be a whole number from 0 or a NumPy Gen"):
        make(seed=seed)


@pytest.mark.parametrize("make", VALID.values(), ids=VALID)
def test_a_seed_must_be_given(make: Maker) -> None:
    with pytest.raises(TypeError, match="seed"):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gbm(0, 0.6, 5, seed=1), r"^start_price must be positive, was 0; "),
        (lambda: gbm(1, 60, 5, seed=1), r"^volatility must be above 0 and up to 10, was 60; looks"),
        (lambda: gbm([1, 2], 0.6, 5, seed=1), r"^start_price must be a single number, had shape"),
        (
            lambda: gbm(1, 0.6, 0, seed=1),
            r"^steps must be a whole number from 1 to 10000000, was 0",
        ),
        (lambda: gbm(1, 0.6, 5, paths=1.5, seed=1), r"^paths must be a whole number"),
        (
            lambda: jump_diffusion(
                1, 0.6, 5, jumps_per_year=-1, jump_mean=0, jump_volatility=0, seed=1
            ),
            r"^jumps_per_year must be zero or more, was -1; ",
        ),
        (
            lambda: block_bootstrap(1, [0.1], 5, mean_block=2, seed=1),
            r"^log_returns must be a list of at least two returns, had shape \(1,\); ",
        ),
        (
            lambda: block_bootstrap(1, [0.1, math.nan], 5, mean_block=2, seed=1),
            r"^log_returns must be a number, was nan at index 1; ",
        ),
        (
            lambda: block_bootstrap(1, [0.1, 0.2], 5, mean_block=0.5, seed=1),
            r"^mean_block must be 1 or more, was 0.5; ",
        ),
        (
            lambda: correlated([1, 2], 0.6, [[1, 0.5], [0.4, 1]], 5, seed=1),
            r"^correlations must be symmetric with ones on the diagonal",
        ),
        (
            lambda: correlated([1, 2], 0.6, [[1]], 5, seed=1),
            r"^correlations must have shape \(2, 2\), had \(1, 1\); ",
        ),
        (
            lambda: correlated(
                [1, 2, 3], 0.6, [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], 5, seed=1
            ),
            r"^correlations must have no negative eigenvalue, had -",
        ),
        (
            lambda: correlated([1, 2], [0.6] * 3, [[1, 0], [0, 1]], 5, seed=1),
            r"^volatilities must be one number or 2, had shape \(3,\); ",
        ),
        (lambda: correlated(1, 0.6, [[1]], 5, seed=1), r"^start_prices must be a list with one"),
        (
            lambda: regimes(1, [0.4, 2], [[0.9, 0.2], [0.1, 0.9]], 5, seed=1),
            r"^transitions must be rows that sum to 1, was 1.1 at index 0; ",
        ),
        (
            lambda: regimes(1, [0.4, 2], [[1.0]], 5, seed=1),
            r"^transitions must be a square table with one row for each of the volatilities",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
