"""Monte Carlo of touches: known probabilities, one result for every way to run it, and order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, liquidation_price
from leverage.history import load_daily, log_returns
from leverage.paths import gbm
from leverage.survival import (
    HOURS_PER_YEAR,
    Touches,
    count_touches,
    engines,
    first_touch,
    simulate_touches,
    simulation,
    touch_probability,
)

NAMED = {
    "liquidation": liquidation_price(LONG, 1, 1, 0.1, 0.005),
    "stop": 0.94,
    "target": 1.12,
}
needs_numba = pytest.mark.skipif(not engines.has_compiler(), reason="numba is an extra")


def small(engine: str = "numpy", **changes: object) -> Touches:
    """Run a few short paths that touch levels often."""
    arguments = {"paths": 700, "seed": 3, "engine": engine, "step_hours": 4.0, **changes}
    return simulate_touches(1.0, NAMED, 0.9, 330, **arguments)


def everything(found: Touches) -> bytes:
    """Return all numbers of a result as bytes."""
    parts = (found.probability, found.first, found.untouched, found.before, found.curve)
    return b"".join(np.asarray(part).tobytes() for part in parts)


def test_the_three_known_probabilities_are_met_within_four_standard_errors() -> None:
    found = simulate_touches(1.0, NAMED, 0.6, 1_000, paths=100_000, seed=20261122)
    known = np.array([0.6390, 0.7702, 0.5306])
    assert (abs(found.probability - known) <= 4 * found.standard_error).all()
    assert found.standard_error == pytest.approx(np.sqrt(known * (1 - known) / 1e5), rel=0.01)


@pytest.mark.parametrize(
    ("level", "volatility", "drift", "step_hours"),
    [(0.9, 0.5, 0.0, 1.0), (1.1, 0.5, 0.0, 1.0), (0.8, 1.5, 0.8, 4.0), (1.3, 0.3, 2.0, 8.0)],
)
def test_simulation_meets_the_closed_form_within_four_standard_errors(
    level: float, volatility: float, drift: float, step_hours: float
) -> None:
    steps = 500
    found = simulate_touches(
        1.0, [level], volatility, steps, drift=drift, step_hours=step_hours, paths=20_000, seed=11
    )
    expected = touch_probability(
        1.0, level, volatility, steps * step_hours, drift=drift, step_hours=step_hours
    )
    assert abs(found.probability[0] - expected) <= 4 * found.standard_error[0]


def test_first_touches_meet_the_closed_form_within_four_standard_errors() -> None:
    found = simulate_touches(100.0, {"stop": 94, "target": 112}, 0.6, 336, paths=40_000, seed=12)
    expected = first_touch(100, 94, 112, 0.6, 336, step_hours=1)
    shares = np.array([found["stop"].first, found["target"].first, found.untouched])
    errors = np.sqrt(shares * (1 - shares) / found.paths)
    assert (abs(shares - np.array(expected)) <= 4 * errors).all()


def test_the_curve_meets_the_closed_form_on_its_way() -> None:
    found = simulate_touches(1.0, [0.94], 0.6, 400, paths=20_000, seed=13)
    steps = np.array([50, 100, 200, 400])
    expected = touch_probability(1.0, 0.94, 0.6, steps, step_hours=1)
    errors = np.sqrt(expected * (1 - expected) / found.paths)
    assert (abs(found.curve[0, steps] - expected) <= 4 * errors).all()


def test_threads_and_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = everything(small())
    for threads, chunk in ((1, 33), (2, 65), (3, 699), (2, 5_000)):
        monkeypatch.setattr(engines, "NUMPY_CHUNK", chunk)
        assert everything(small(threads=threads)) == reference


@needs_numba
def test_both_engines_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = everything(small("numpy"))
    for threads, chunk in ((1, engines.COMPILED_CHUNK), (2, 64), (2, 333)):
        monkeypatch.setattr(engines, "COMPILED_CHUNK", chunk)
        assert everything(small("numba", threads=threads)) == reference


@needs_numba
@settings(deadline=None, max_examples=settings.default.max_examples * 30 // 100)
@given(
    st.lists(st.floats(-0.5, 0.5).filter(lambda x: abs(x) > 1e-6), min_size=1, max_size=5),
    st.integers(1, 300),
    st.floats(0.0001, 0.2),
    st.integers(0, 2**70),
)
def test_both_engines_find_the_same_first_touch_of_every_level(
    distances: list[float], steps: int, spread: float, seed: int
) -> None:
    sides = np.array(sorted(set(distances), key=abs))
    walk = engines.make_walk(
        engines.normal_table() * spread, sides[sides < 0], sides[sides > 0], seed, steps
    )
    by_numpy = engines.touch_times_numpy(walk, 1_000, 40)
    by_numba = engines.touch_times_compiled(walk, 1_000, 40)
    assert np.array_equal(by_numpy, by_numba)


def mixed(value: int) -> int:
    """SplitMix64's mixing function on Python's own whole numbers."""
    full = (1 << 64) - 1
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & full
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & full
    return value ^ (value >> 31)


def path_by_hand(walk: engines.Walk, number: int) -> list[int]:
    """Walk one path draw by draw, as the module's text says it."""
    full = (1 << 64) - 1
    stream = mixed((mixed(number // 4) + walk.key) & full)
    place, places = 0, [0]
    for step in range(walk.steps):
        bits = mixed((stream + (step + 1) * 0x9E3779B97F4A7C15) & full)
        place += int(walk.table[(bits >> 16 * (number % 4)) & 0xFFFF])
        places.append(place)
    return places


def test_paths_walked_by_hand_touch_at_the_same_steps() -> None:
    walk = engines.make_walk(
        engines.normal_table() * 0.02, np.array([-0.03, -0.2]), np.array([0.1]), 9, 150
    )
    times = engines.touch_times_numpy(walk, 5, 20)
    touched = 0
    for row, number in enumerate(range(5, 25)):
        places = np.array(path_by_hand(walk, number))
        for column, there in enumerate(
            (places <= walk.lows[0], places <= walk.lows[1], places >= walk.highs[0])
        ):
            expected = int(there.argmax()) if there.any() else engines.NEVER
            assert times[row, column] == expected
            touched += int(there.any())
    assert 10 < touched < 60


def test_a_path_is_the_same_however_many_others_there_are() -> None:
    walk = engines.make_walk(
        engines.normal_table() * 0.02, np.array([-0.1]), np.array([0.1]), 4, 300
    )
    together = engines.touch_times_numpy(walk, 0, 50)
    apart = [engines.touch_times_numpy(walk, number, 1) for number in range(50)]
    assert np.array_equal(together, np.concatenate(apart))


def test_draws_of_neighbouring_paths_steps_and_seeds_are_unrelated() -> None:
    def draws(seed: int) -> np.ndarray:
        streams, _ = engines._streams(engines._key(seed), 0, 2_000)
        hashes = streams + engines._JUMPS[:, np.newaxis]
        engines._scramble(hashes, np.empty_like(hashes))
        return engines.normal_table()[hashes.astype("<u8").view("<u2")]

    one, other = draws(1), draws(2)
    assert one.shape == (128, 2_000)
    for name, pair in {
        "paths of one stream": (one[:, 0::4], one[:, 1::4]),
        "neighbouring streams": (one[:, :-4], one[:, 4:]),
        "neighbouring steps": (one[:-1], one[1:]),
        "neighbouring seeds": (one, other),
        "sizes of neighbouring steps": (abs(one[:-1]), abs(one[1:])),
    }.items():
        found = np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1]
        assert abs(found) <= 4.5 / math.sqrt(pair[0].size), name
    assert abs(one.mean()) <= 4.5 / math.sqrt(one.size)
    assert one.var() == pytest.approx(1, abs=4.5 * math.sqrt(2 / one.size))


def test_the_seed_settles_the_result_and_another_seed_changes_it() -> None:
    assert everything(small(seed=3)) == everything(small(seed=3))
    assert everything(small(seed=3)) != everything(small(seed=4))


def test_shares_and_order_are_consistent() -> None:
    found = small()
    assert found.first.sum() + found.untouched == pytest.approx(1)
    assert (found.first <= found.probability).all()
    assert (np.diff(found.curve, axis=1) >= 0).all()
    assert np.array_equal(found.curve[:, -1], found.probability)
    assert found.curve[:, 0].tolist() == [0, 0, 0]
    # Whoever is touched was touched with the other one still untouched, or after it.
    assert (found.before <= found.probability[:, np.newaxis]).all()
    assert np.diag(found.before).tolist() == [0, 0, 0]
    assert found.before[1, 0] == found["stop"].probability, "the stop is always passed first"
    assert found.before[0, 1] == 0
    either = found.before[1, 2] + found.before[2, 1]
    assert either == pytest.approx(found["stop"].first + found["target"].first)


def test_a_gap_through_stop_and_liquidation_passes_the_stop_first() -> None:
    found = count_touches([[100.0, 80.0]], {"liquidation": 90, "stop": 94, "target": 110})
    assert found.probability.tolist() == [1, 1, 0]
    assert found.first.tolist() == [0, 1, 0]
    assert found.before[1, 0] == 1
    assert found.before[0, 1] == 0


def test_given_paths_are_counted_by_hand() -> None:
    paths = [[10, 9, 11, 8], [10, 11, 12, 13], [10, 10, 10, 10], [10, 8, 12, 12]]
    found = count_touches(paths, {"low": 8, "high": 12})
    assert found.probability.tolist() == [0.5, 0.5]
    assert found.first.tolist() == [0.5, 0.25]
    assert found.untouched == 0.25
    assert found.before.tolist() == [[0, 0.5], [0.25, 0]]
    assert found.curve.tolist() == [[0, 0.25, 0.25, 0.5], [0, 0, 0.5, 0.5]]


def test_counting_given_paths_meets_the_simulation() -> None:
    prices = gbm(1.0, 0.6, 300, paths=8_000, seed=21)
    one, other = (
        count_touches(prices, NAMED),
        simulate_touches(1.0, NAMED, 0.6, 300, paths=40_000, seed=22),
    )
    errors = np.hypot(one.standard_error, other.standard_error)
    assert (abs(one.probability - other.probability) <= 4 * errors).all()


def test_the_order_in_which_levels_are_given_changes_no_share() -> None:
    turned = dict(reversed(NAMED.items()))
    one = simulate_touches(1.0, NAMED, 0.9, 200, paths=500, seed=1)
    other = simulate_touches(1.0, turned, 0.9, 200, paths=500, seed=1)
    assert other.names == tuple(turned)
    assert all(one[name] == other[name] for name in NAMED)
    assert np.array_equal(one.before, other.before[::-1, ::-1])


def test_levels_on_one_side_only_are_enough() -> None:
    assert simulate_touches(1.0, [1.05, 1.2], 0.9, 100, paths=100, seed=1).probability[0] > 0
    assert simulate_touches(1.0, [0.95, 0.8], 0.9, 100, paths=100, seed=1).probability[0] > 0


def test_a_level_out_of_reach_is_never_touched() -> None:
    found = simulate_touches(1.0, [1e-300, 1e300], 0.01, 50, paths=100, seed=1)
    assert found.untouched == 1


@pytest.mark.parametrize(("volatility", "step_hours"), [(1e-300, 1.0), (0.6, 0.0), (10.0, 8_760.0)])
def test_the_smallest_and_largest_steps_are_walked_without_a_warning(
    volatility: float, step_hours: float
) -> None:
    found = simulate_touches(
        1.0, [0.9, 1.1], volatility, 130, step_hours=step_hours, paths=50, seed=1
    )
    moves = volatility * step_hours > 1
    assert found.untouched == (0 if moves else 1)


def test_normal_draws_have_mean_zero_variance_one_and_little_else() -> None:
    table = engines.normal_table()
    assert len(table) == 65_536
    assert np.array_equal(table, -table[::-1])
    assert table.var() == pytest.approx(1, abs=1e-12)
    assert (table**4).mean() == pytest.approx(3, abs=0.01)


def test_real_returns_are_drawn_evenly_and_keep_the_expected_price() -> None:
    returns = log_returns(load_daily("BTC")).to_numpy()
    table = simulation._returns_table(None, returns, 0.2, 24 / HOURS_PER_YEAR)
    assert np.exp(table).mean() == pytest.approx(math.exp(0.2 * 24 / HOURS_PER_YEAR), rel=1e-12)
    drawn, counts = np.unique(table, return_counts=True)
    assert len(drawn) == len(np.unique(returns))
    even = 65_536 / len(returns)
    assert abs(counts - even * np.unique(returns, return_counts=True)[1]).max() <= 1


def test_fat_tails_matter_far_away() -> None:
    returns = log_returns(load_daily("BTC")).to_numpy()
    spread = float(returns.std()) * math.sqrt(365)
    real = simulate_touches(
        1.0, [0.6], None, 3, log_returns=returns, step_hours=24, paths=50_000, seed=1
    )
    normal = simulate_touches(1.0, [0.6], spread, 3, step_hours=24, paths=50_000, seed=1)
    assert real.probability[0] > 10 * normal.probability[0]


def test_only_a_large_run_takes_the_compiler_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "has_compiler", lambda: True)
    monkeypatch.setattr(engines, "is_compiled", lambda: False)
    assert simulation._pick("auto", 10**6)[0] is engines.touch_times_numpy
    assert simulation._pick("auto", 10**9)[0] is engines.touch_times_compiled
    monkeypatch.setattr(engines, "has_compiler", lambda: False)
    assert simulation._pick("auto", 10**9)[0] is engines.touch_times_numpy
    with pytest.raises(ValueError, match=r"^engine must be 'numpy' or 'auto' where numba is not"):
        simulation._pick("numba", 1)


def test_a_result_reads_as_one_line_for_each_level() -> None:
    lines = str(small()).splitlines()
    assert [line.split(" at ")[0] for line in lines[:3]] == list(NAMED)
    assert lines[3].startswith("none of them: ")
    with pytest.raises(KeyError, match="no level is called 'limit'; there are liquidation, stop"):
        small()["limit"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entry_price": 0}, r"^entry_price must be positive, was 0; "),
        ({"levels": {"stop": 1.0}}, r"^levels must be away from the entry price 1, was 1"),
        ({"levels": []}, r"^entry_price must be one price and levels at least one"),
        ({"levels": [-1]}, r"^levels must be positive, was -1"),
        ({"volatility": None}, r"^volatility must be None exactly when log_returns are given"),
        ({"log_returns": [0.1, -0.1]}, r"^volatility must be None exactly when log_returns"),
        ({"volatility": None, "log_returns": [0.1]}, r"^log_returns must be a list of at least"),
        ({"steps": 0}, r"^steps must be a whole number from 1 to 10000000, was 0; "),
        ({"steps": 2.5}, r"^steps must be a whole number from 1 to 10000000, was 2.5; "),
        ({"paths": 0}, r"^paths must be a whole number from 1 to 1000000000, was 0; "),
        ({"threads": 0}, r"^threads must be a whole number from 1 to 1024, was 0; "),
        ({"engine": "gpu"}, r"^engine must be 'auto' or 'numpy' or 'numba', was 'gpu'; "),
        ({"seed": -1}, r"^seed must be a whole number from 0, was -1; "),
        ({"seed": 1.5}, r"^seed must be a whole number from 0, was 1.5; "),
        ({"seed": True}, r"^seed must be a whole number from 0, was True; "),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(changes: dict, message: str) -> None:
    arguments = {"entry_price": 1.0, "levels": [0.9], "volatility": 0.6, "steps": 5, "seed": 1}
    with pytest.raises(ValueError, match=message):
        simulate_touches(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ([100, 90], r"^prices must have one row for each path"),
        ([[100]], r"^prices must have one row for each path"),
        ([[100, 90], [101, 90]], r"^prices must be equal in the first column \(100\), was 101"),
        ([[100, -1]], r"^prices must be positive, was -1"),
        ([[100, float("nan")]], r"^prices must be a number, was nan"),
    ],
)
def test_paths_that_cannot_be_counted_are_refused(prices: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_touches(prices, [95])
