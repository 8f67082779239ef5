r"""Two engines that walk the same price paths, one in NumPy and one compiled, to the same bit.

A path is a sum of whole numbers. Each step takes 16 bits of a hash and looks up one of 65 536
equally likely log returns, held as whole numbers of a small unit. The hash is of 64 bits and serves
one step of four neighbouring paths: path :math:`p` at step :math:`t` gets quarter :math:`p \bmod 4`
of the hash of (seed, :math:`\lfloor p / 4 \rfloor`, :math:`t`). So a draw depends on nothing but
seed, path and step, and whole numbers add up to the same sum in any order: threads, chunks and
engines cannot change a result.
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

from leverage._validate import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]
TimeArray: TypeAlias = npt.NDArray[np.int32]
HashArray: TypeAlias = npt.NDArray[np.uint64]
Engine: TypeAlias = Callable[["Walk", int, int], TimeArray]

NEVER = np.iinfo(np.int32).max

_DRAWS = 1 << 16
# Paths that share the hashes of a stream, because a hash makes four draws.
_LANES = 4
# Steps that are walked at once. A return has at most 23 bits, so 128 of them stay within 32.
_BLOCK = 128
_NUMPY_BLOCK = 16
_RETURN_BITS = 23
# Paths that NumPy walks at once: enough to hide Python's own time, few enough for a core's caches.
NUMPY_CHUNK = 16_384
COMPILED_CHUNK = 8_192
_BEYOND = 1 << 62

# SplitMix64: G. Steele, D. Lea and C. Flood, Fast Splittable Pseudorandom Number Generators (2014)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_JUMPS = np.arange(1, _BLOCK + 1, dtype=np.uint64) * _GAMMA


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
    streams, skipped = _streams(walk.key, first, count)
    paths = len(streams) * _LANES
    times = np.full((paths, walk.levels), NEVER, dtype=np.int32)
    place = np.zeros(paths, dtype=np.int64)
    below = np.zeros(paths, dtype=np.intp)
    above = np.zeros(paths, dtype=np.intp)
    # One row for each step. Memory that is used again and again stays in the caches.
    hashes = np.empty((_NUMPY_BLOCK, len(streams)), dtype=np.uint64)
    shifted = np.empty_like(hashes)
    moved = np.empty((_NUMPY_BLOCK, paths), dtype=np.int32)
    lowest, highest = np.empty((2, paths), dtype=np.int32)
    jumps = _JUMPS[:_NUMPY_BLOCK, np.newaxis]
    for done in range(0, walk.steps, _NUMPY_BLOCK):
        length = min(_NUMPY_BLOCK, walk.steps - done)
        np.add(streams, jumps, out=hashes)
        streams += jumps[-1]
        _scramble(hashes, shifted)
        # The lowest 16 bits are the draw of the first path of a stream on every machine.
        draws = hashes.astype("<u8", copy=False).view("<u2")
        lowest.fill(0)
        highest.fill(0)
        for step in range(length):
            row = np.take(walk.table, draws[step], out=moved[step], mode="wrap")
            if step:
                row += moved[step - 1]
            np.minimum(lowest, row, out=lowest)
            np.maximum(highest, row, out=highest)
        hit = np.flatnonzero(
            (place + lowest <= walk.lows[below]) | (place + highest >= walk.highs[above])
        )
        if hit.size:
            _note_touches(times, hit, walk, place[hit] + moved[:length, hit], done)
            touched = times[hit] != NEVER
            below[hit] = touched[:, : len(walk.lows) - 1].sum(axis=1)
            above[hit] = touched[:, len(walk.lows) - 1 :].sum(axis=1)
        place += moved[length - 1]
    return times[skipped : skipped + count]


def touch_times_compiled(walk: Walk, first: int, count: int) -> TimeArray:
    """Do as `touch_times_numpy`, with numba."""
    streams, skipped = _streams(walk.key, first, count)
    times = np.full((len(streams) * _LANES, walk.levels), NEVER, dtype=np.int32)
    _compiled()(walk.table, walk.lows, walk.highs, streams, walk.steps, times)
    return times[skipped : skipped + count]


def has_compiler() -> bool:
    """Tell whether numba is installed."""
    return find_spec("numba") is not None


def is_compiled() -> bool:
    """Tell whether the compiled engine is ready, so that using it costs no time for compiling."""
    return _compiled.cache_info().currsize > 0


def _key(seed: int) -> int:
    # NumPy's own mixing of a seed: any whole number gives 64 well-spread bits.
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


def _streams(key: int, first: int, count: int) -> tuple[HashArray, int]:
    """Return the start of each stream that these paths need, and how many paths come before."""
    start, end = first // _LANES, -(-(first + count) // _LANES)
    streams = np.arange(start, end, dtype=np.uint64)
    shifted = np.empty_like(streams)
    _scramble(streams, shifted)
    streams += np.uint64(key)
    _scramble(streams, shifted)
    return streams, first - start * _LANES


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
    times: TimeArray, paths: npt.NDArray[np.intp], walk: Walk, places: IntArray, done: int
) -> None:
    """Write down the first step at which each path is at or beyond a level it had not touched."""
    reached = [places <= level for level in walk.lows[:-1]]
    reached += [places >= level for level in walk.highs[:-1]]
    for column, there in enumerate(reached):
        fresh = there.any(axis=0) & (times[paths, column] == NEVER)
        times[paths[fresh], column] = there[:, fresh].argmax(axis=0) + (done + 1)


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
    hashes = np.empty(_BLOCK, dtype=np.uint64)
    draws = hashes.view(np.uint16)
    moved = np.empty(_BLOCK, dtype=np.int32)
    place = np.empty(_LANES, dtype=np.int64)
    below = np.empty(_LANES, dtype=np.int64)
    above = np.empty(_LANES, dtype=np.int64)
    for stream in range(len(streams)):
        counter = streams[stream]
        place[:] = 0
        below[:] = 0
        above[:] = 0
        unfinished = _LANES
        for done in range(0, steps, _BLOCK):
            # Three short loops: the first and the last one become vector instructions.
            for k in range(_BLOCK):
                bits = counter + _JUMPS[k]
                bits = (bits ^ (bits >> _SHIFT_1)) * _MULTIPLIER_1
                bits = (bits ^ (bits >> _SHIFT_2)) * _MULTIPLIER_2
                hashes[k] = bits ^ (bits >> _SHIFT_3)
            counter += _JUMPS[-1]
            for lane in range(_LANES):
                total = np.int32(0)
                for k in range(_BLOCK):
                    total = np.int32(total + table[draws[_LANES * k + lane]])
                    moved[k] = total
                lowest = np.int32(0)
                highest = np.int32(0)
                for k in range(_BLOCK):
                    lowest = min(lowest, moved[k])
                    highest = max(highest, moved[k])
                start = place[lane]
                place[lane] += total
                i, j = below[lane], above[lane]
                if start + lowest <= lows[i] or start + highest >= highs[j]:
                    path = _LANES * stream + lane
                    for k in range(min(_BLOCK, steps - done)):
                        here = start + moved[k]
                        while here <= lows[i]:
                            times[path, i] = done + k + 1
                            i += 1
                        while here >= highs[j]:
                            times[path, levels_below + j] = done + k + 1
                            j += 1
                    below[lane], above[lane] = i, j
                    if i == levels_below and j == levels_above:
                        unfinished -= 1
            if unfinished == 0:
                break
