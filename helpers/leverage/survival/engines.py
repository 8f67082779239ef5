r"""Two engines that walk the same price paths, one in NumPy and one compiled, to the same bit.

A path is a sum of whole numbers. Step :math:`t` of path :math:`p` takes 16 bits of a hash of
(seed, p, t) and looks up one of 65 536 equally likely log returns, held as whole numbers of a
small unit. Whole numbers add up to the same sum in any order, and no draw depends on another path:
threads, chunks and engines cannot change a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from statistics import NormalDist
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from .._validate import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]
TimeArray: TypeAlias = npt.NDArray[np.int32]
HashArray: TypeAlias = npt.NDArray[np.uint64]
Engine: TypeAlias = Callable[["Walk", int, int], TimeArray]

NEVER = np.iinfo(np.int32).max

_DRAWS = 1 << 16
_DRAWS_PER_HASH = 4
# Steps that are walked at once. A return has at most 23 bits, so 128 of them stay within 32.
_BLOCK = 128
_RETURN_BITS = 23
# Paths that NumPy walks at once: small enough for the caches of a core.
NUMPY_CHUNK = 2_048
COMPILED_CHUNK = 8_192
_BEYOND = 1 << 62

# SplitMix64: G. Steele, D. Lea and C. Flood, Fast Splittable Pseudorandom Number Generators (2014)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_JUMPS = np.arange(1, _BLOCK // _DRAWS_PER_HASH + 1, dtype=np.uint64) * _GAMMA


@dataclass(frozen=True)
class Walk:
    """What an engine needs to walk paths: whole numbers only.

    Attributes
    ----------
    table : ndarray of int32
        The 65 536 equally likely log returns of a step, in units.
    lows, highs : ndarray of int64
        Log distances from the entry to the levels below and above it in units, nearest first;
        behind the last one stands a level that no path reaches.
    key : int
        Start of the streams, made from the seed.
    steps : int
        Steps of each path.
    """

    table: TimeArray
    lows: IntArray
    highs: IntArray
    key: int
    steps: int

    @property
    def levels(self) -> int:
        """How many levels there are."""
        return len(self.lows) + len(self.highs) - 2


def make_walk(
    log_returns: FloatArray, lows: FloatArray, highs: FloatArray, seed: int, steps: int
) -> Walk:
    """Turn log returns and log distances of levels, nearest first, into whole numbers."""
    largest = max(float(abs(log_returns).max()), np.finfo(float).tiny)
    # A power of two changes no digit of a return, so only the last unit is rounded.
    unit = 2.0 ** (math.frexp(largest)[1] - _RETURN_BITS)
    table = np.rint(log_returns / unit).astype(np.int32)
    # No path gets further than this, so a level beyond it needs no larger number.
    reach = (steps + 1.0) * 2.0**_RETURN_BITS
    with np.errstate(over="ignore"):
        low = np.maximum(np.floor(lows / unit), -reach)
        high = np.minimum(np.ceil(highs / unit), reach)
    return Walk(
        table,
        np.append(low.astype(np.int64), -_BEYOND),
        np.append(high.astype(np.int64), _BEYOND),
        _key(seed),
        steps,
    )


@cache
def normal_table() -> FloatArray:
    """Return 65 536 equally likely standard normal numbers with a variance of exactly one."""
    half = _DRAWS // 2
    upper = np.array([NormalDist().inv_cdf((k + 0.5) / _DRAWS) for k in range(half, _DRAWS)])
    table = np.concatenate([-upper[::-1], upper])
    table /= table.std()
    table.flags.writeable = False
    return table


def empirical_table(values: FloatArray) -> FloatArray:
    """Return 65 536 equally likely draws that spread over the sorted values as evenly as can be."""
    ordered = np.sort(values)
    return ordered[(2 * np.arange(_DRAWS) + 1) * len(ordered) // (2 * _DRAWS)]


def touch_times_numpy(walk: Walk, first: int, count: int) -> TimeArray:
    """Walk paths `first` to `first + count` in NumPy; return the step of each first touch.

    One column for each level: those below the entry, nearest first, then those above it.
    """
    times = np.full((count, walk.levels), NEVER, dtype=np.int32)
    path = np.arange(count)
    counter = _streams(walk.key, first, count)
    place = np.zeros(count, dtype=np.int64)
    below = np.zeros(count, dtype=np.intp)
    above = np.zeros(count, dtype=np.intp)
    # Memory that is used again and again stays in the caches.
    hashes = np.empty((count, len(_JUMPS)), dtype=np.uint64)
    shifted = np.empty_like(hashes)
    moves = np.empty((count, _BLOCK), dtype=np.int32)
    for done in range(0, walk.steps, _BLOCK):
        length = min(_BLOCK, walk.steps - done)
        left = len(path)
        bits = np.add(counter[:, np.newaxis], _JUMPS, out=hashes[:left])
        _scramble(bits, shifted[:left])
        counter += _JUMPS[-1]
        # The lowest 16 bits of a hash make the first of its four draws on every machine.
        draws = bits.astype("<u8", copy=False).view("<u2")
        moved = np.take(walk.table, draws, out=moves[:left], mode="wrap")[:, :length]
        np.cumsum(moved, axis=1, out=moved)
        hit = np.flatnonzero(
            (place + moved.min(axis=1) <= walk.lows[below])
            | (place + moved.max(axis=1) >= walk.highs[above])
        )
        if hit.size:
            _note_touches(times, path[hit], walk, place[hit, np.newaxis] + moved[hit], done)
            touched = times[path[hit]] != NEVER
            below[hit] = touched[:, : len(walk.lows) - 1].sum(axis=1)
            above[hit] = touched[:, len(walk.lows) - 1 :].sum(axis=1)
        place += moved[:, -1]
        if hit.size:
            # A path that has touched every level has nothing left to tell.
            unfinished = below + above < walk.levels
            path, counter, place = path[unfinished], counter[unfinished], place[unfinished]
            below, above = below[unfinished], above[unfinished]
    return times


def touch_times_compiled(walk: Walk, first: int, count: int) -> TimeArray:
    """Do as `touch_times_numpy`, with numba."""
    times = np.full((count, walk.levels), NEVER, dtype=np.int32)
    streams = _streams(walk.key, first, count)
    _compiled()(walk.table, walk.lows, walk.highs, streams, walk.steps, times)
    return times


def has_compiler() -> bool:
    """Tell whether numba is installed."""
    return find_spec("numba") is not None


def is_compiled() -> bool:
    """Tell whether the compiled engine is ready, so that using it costs no time for compiling."""
    return _compiled.cache_info().currsize > 0


def _key(seed: int) -> int:
    # NumPy's own mixing of a seed: any whole number gives 64 well-spread bits.
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


def _streams(key: int, first: int, count: int) -> HashArray:
    """Return the start of the stream of each path; its number is all that tells paths apart."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    shifted = np.empty_like(numbers)
    _scramble(numbers, shifted)
    numbers += np.uint64(key)
    _scramble(numbers, shifted)
    return numbers


def _scramble(bits: HashArray, shifted: HashArray) -> None:
    """Apply SplitMix64's mixing function to each number, in place; `shifted` is room to work."""
    np.right_shift(bits, _SHIFT_1, out=shifted)
    bits ^= shifted
    bits *= _MULTIPLIER_1
    np.right_shift(bits, _SHIFT_2, out=shifted)
    bits ^= shifted
    bits *= _MULTIPLIER_2
    np.right_shift(bits, _SHIFT_3, out=shifted)
    bits ^= shifted


def _note_touches(
    times: TimeArray, rows: npt.NDArray[np.intp], walk: Walk, places: IntArray, done: int
) -> None:
    """Write down the first step at which each path is at or beyond a level it had not touched."""
    reached = [places <= level for level in walk.lows[:-1]]
    reached += [places >= level for level in walk.highs[:-1]]
    for column, there in enumerate(reached):
        fresh = there.any(axis=1) & (times[rows, column] == NEVER)
        times[rows[fresh], column] = there[fresh].argmax(axis=1) + (done + 1)


@cache
def _compiled() -> Callable[..., None]:
    import numba

    return cast(Callable[..., None], numba.njit(nogil=True)(_walk_all))


def _walk_all(
    table: TimeArray,
    lows: IntArray,
    highs: IntArray,
    streams: HashArray,
    steps: int,
    times: TimeArray,
) -> None:
    levels_below = len(lows) - 1
    levels_above = len(highs) - 1
    hashes = np.empty(len(_JUMPS), dtype=np.uint64)
    draws = hashes.view(np.uint16)
    moved = np.empty(_BLOCK, dtype=np.int32)
    for path in range(len(streams)):
        counter = streams[path]
        place = np.int64(0)
        below = 0
        above = 0
        for done in range(0, steps, _BLOCK):
            # Three short loops: the first and the last one become vector instructions.
            for k in range(len(_JUMPS)):
                bits = counter + _JUMPS[k]
                bits = (bits ^ (bits >> _SHIFT_1)) * _MULTIPLIER_1
                bits = (bits ^ (bits >> _SHIFT_2)) * _MULTIPLIER_2
                hashes[k] = bits ^ (bits >> _SHIFT_3)
            counter += _JUMPS[-1]
            total = np.int32(0)
            for k in range(_BLOCK):
                total = np.int32(total + table[draws[k]])
                moved[k] = total
            lowest = np.int32(0)
            highest = np.int32(0)
            for k in range(_BLOCK):
                lowest = min(lowest, moved[k])
                highest = max(highest, moved[k])
            if place + lowest <= lows[below] or place + highest >= highs[above]:
                for k in range(min(_BLOCK, steps - done)):
                    here = place + moved[k]
                    while here <= lows[below]:
                        times[path, below] = done + k + 1
                        below += 1
                    while here >= highs[above]:
                        times[path, levels_below + above] = done + k + 1
                        above += 1
                if below == levels_below and above == levels_above:
                    break
            place += total
