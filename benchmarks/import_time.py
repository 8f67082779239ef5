"""Time of `import leverage` beside NumPy's own import, warm, in one run.

Every sample is a new interpreter that imports NumPy and then `leverage`; its two times are taken
inside it, so that the start of Python does not count. The first samples fill the caches and are
thrown away. The ratio is what matters: milliseconds differ from machine to machine.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence

SAMPLE = """
from time import perf_counter
start = perf_counter()
import numpy
middle = perf_counter()
import leverage
end = perf_counter()
print(middle - start, end - start)
"""


def measure(samples: int, warm_up: int) -> list[tuple[float, float]]:
    """Give, for each sample, the seconds for NumPy alone and for NumPy with `leverage`."""
    command = [sys.executable, "-c", SAMPLE]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for _ in range(warm_up + samples)
    ]
    times = [tuple(float(word) for word in run.split()) for run in runs[warm_up:]]
    return [(numpy, both) for numpy, both in times]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print one line for each import, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=21, help="interpreters to time (21)")
    options = parser.parse_args(arguments)
    if options.samples < 1:
        parser.error(f"--samples must be at least 1, was {options.samples}")

    times = measure(options.samples, warm_up=3)
    numpy = statistics.median(alone for alone, _ in times)
    both = statistics.median(together for _, together in times)
    ratio = statistics.median(together / alone for alone, together in times)
    print(f"$ python benchmarks/import_time.py --samples {options.samples}")
    print(f"import numpy             {numpy * 1e3:7.1f} ms")
    print(f"import leverage          {both * 1e3:7.1f} ms   NumPy included")
    print(f"leverage over numpy      {ratio:7.2f} x    median of {len(times)} warm interpreters")


if __name__ == "__main__":
    main()
