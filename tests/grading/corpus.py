"""Submissions of a small made assignment: honest ones, attacks, faults; each with its verdict.

Run as a program it grades them all and writes the outcomes as JSON, so that a test can do it as
another user: `python corpus.py LEVEL KIND OUTPUT`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classroom.grading import Grader, Limits, Outcome, Release, Submission, read_release

NAME = "lab"
SECRET = "hidden-number-4711"
LIMITS = Limits(
    memory_mb=250,
    cpu_seconds=20,
    cell_seconds=2.5,
    total_seconds=20,
    processes=20,
    file_mb=5,
    open_files=64,
    output_bytes=200_000,
)

SETUP = """import numpy as np
import pandas as pd
from numpy.testing import assert_allclose
from leverage.lessons import exercise

prices = pd.read_csv("prices.csv")"""
ANSWERS = {
    "double": "def double(x):\n    return 2 * x",
    "total": "total = 12.5",
    "fee": "def fee(amount, rate):\n    return amount * rate",
    "losers": "losers = prices[prices.pnl < 0]",
}
WRONG = {
    "double": "def double(x):\n    return 3 * x",
    "total": "total = 1.0",
    "fee": "def fee(amount, rate):\n    return amount + rate",
    "losers": "losers = prices",
}
TESTS = {
    "double_test": (
        "assert double(2) == 4, 'double(2) is 4'\n"
        "### BEGIN HIDDEN TESTS\n"
        f"# {SECRET}\n"
        "assert double(4711) == 9422, 'double it'\n"
        "assert double([1]) == [1, 1]\n"
        "### END HIDDEN TESTS"
    ),
    "total_test": "assert_allclose(total, 12.5)",
    "fee_test": (
        'with exercise("fee_test") as check:\n'
        '    check.result("fee", (2_000, 0.0005), 1.0, unit="USD", hint="Multiply the two.")\n'
        "    ### BEGIN HIDDEN TESTS\n"
        "    check.hidden()\n"
        '    check.result("fee", (4711, 0.001), 4.711, hint="Multiply the two.")\n'
        "    ### END HIDDEN TESTS"
    ),
    "losers_test": (
        'with exercise("losers_test") as check:\n'
        '    expected = pd.DataFrame({"coin": ["ETH"], "pnl": [-45]})\n'
        '    check.table("losers", expected, hint="Keep the rows below zero.")'
    ),
}
POINTS = {"double_test": 2, "total_test": 1, "fee_test": 2, "losers_test": 1}
FULL = 6.0
PRICES = b"coin,pnl\nBTC,210\nETH,-45\n"


def meta(grade_id: str, **more: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell."""
    base = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**base, "schema_version": 3, "grade_id": grade_id, **more}}


def code(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name or f"own-{abs(hash(source)) % 10**9}",
        "metadata": metadata or {},
        "outputs": [],
        "source": source,
    }


def text(source: str, metadata: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """A text cell."""
    return {"cell_type": "markdown", "id": name, "metadata": metadata or {}, "source": source}


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """A notebook."""
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def without_hidden(source: str) -> str:
    """What students see of a test."""
    lines, inside = [], False
    for line in source.split("\n"):
        inside = inside or "BEGIN HIDDEN" in line
        if not inside:
            lines.append(line)
        inside = inside and "END HIDDEN" not in line
    return "\n".join(lines)


def source_notebook() -> dict[str, Any]:
    """The instructor's notebook."""
    cells = [text("# Lab", name="title"), code(SETUP, meta("setup", locked=True), "setup")]
    for name, answer in ANSWERS.items():
        solved = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        cells.append(code(solved, meta(name, solution=True), name))
        points = POINTS[f"{name}_test"]
        graded = meta(f"{name}_test", grade=True, locked=True, points=points)
        cells.append(code(TESTS[f"{name}_test"], graded, f"{name}-test"))
    written = meta("why", grade=True, solution=True, points=4)
    cells.append(text("Because.", written, "why"))
    return notebook(cells)


def make_release(folder: Path) -> Release:
    """The release, read from files as an instructor's would be."""
    place = folder / NAME
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{NAME}.ipynb").write_text(json.dumps(source_notebook()), encoding="utf-8")
    (place / "prices.csv").write_bytes(PRICES)
    return read_release(place / f"{NAME}.ipynb")


def submitted(
    answers: dict[str, str] | None = None,
    *,
    first: str | Iterable[str] = (),
    last: str | Iterable[str] = (),
) -> dict[str, Any]:
    """A student's notebook with these answers and cells of the student's own."""
    answers = {**ANSWERS, **(answers or {})}
    cells = [text("# Lab", name="title"), code(SETUP, meta("setup", locked=True), "setup")]
    cells += [code(own) for own in ([first] if isinstance(first, str) else first)]
    for name, answer in answers.items():
        cells.append(code(answer, meta(name, solution=True), name))
        graded = meta(f"{name}_test", grade=True, locked=True, points=POINTS[f"{name}_test"])
        cells.append(code(without_hidden(TESTS[f"{name}_test"]), graded, f"{name}-test"))
    cells.append(text("It is so.", meta("why", grade=True, solution=True, points=4), "why"))
    cells += [code(own) for own in ([last] if isinstance(last, str) else last)]
    return notebook(cells)


@dataclass(frozen=True)
class Case:
    """One submission and what has to become of it.

    `points` are those of the tests; `says` must stand in the verdict's texts, `tampering` in its
    tampering, `never` nowhere in the executed notebook as students see it.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]
    points: float | None = FULL
    status: str = "graded"
    says: str = ""
    tampering: str | None = None
    never: str = ""
    shows: str = ""
    problems: tuple[str, ...] = ()
    levels: tuple[str, ...] = field(default=("namespaces", "bubblewrap", "landlock", "limits"))

    def submission(self) -> Submission:
        """The submission of a student named like the case."""
        return Submission(self.name, self.files, self.problems)


def files_of(document: Any, name: str = f"{NAME}.ipynb") -> tuple[tuple[str, bytes], ...]:
    """A notebook as files."""
    return ((name, json.dumps(document).encode()),)


def honest() -> Iterator[Case]:
    """Submissions that nothing may cost a point."""
    yield Case("honest-right", files_of(submitted()))
    yield Case("honest-wrong", files_of(submitted(WRONG)), 0.0)
    yield Case("honest-half", files_of(submitted({"double": WRONG["double"]})), 4.0)
    noisy = {
        "double": "import warnings, sys, logging\ndef double(x):\n    warnings.warn('careful')\n"
        "    print('working', file=sys.stderr)\n    logging.warning('log')\n    return 2 * x",
        "fee": "def fee(amount, rate):\n    print('fee', amount)\n    return amount * rate",
    }
    yield Case("honest-noisy", files_of(submitted(noisy)))
    kinds = {
        "double": "double = lambda x: x + x",
        "total": "import numpy as np\ntotal = np.float32(12.5)",
        "fee": "from decimal import Decimal\ndef fee(amount, rate, scale=1):\n"
        "    return np.float64(amount) * rate * scale",
        "losers": "losers = prices.query('pnl < 0').copy()",
    }
    yield Case("honest-kinds", files_of(submitted(kinds)))
    state = {"double": "def double(x):\n    return helper(x)", "total": "total = sum([10, 2.5])"}
    yield Case(
        "honest-helpers", files_of(submitted(state, first="def helper(x):\n    return 2 * x"))
    )
    magic = "%matplotlib inline\n%time sum(range(10))\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    yield Case("honest-magics", files_of(submitted(first=magic)), shows="image/png")
    rich = "from IPython.display import display, Markdown\ndisplay(Markdown('**rich**'))\nprices"
    yield Case("honest-rich", files_of(submitted(first=rich)), shows="text/html")
    wait = "import asyncio\nawait asyncio.sleep(0.01)\nprint('aw' + 'aited')"
    yield Case("honest-await", files_of(submitted(first=wait)), shows="awaited")
    shell = "!echo from-the-$(echo shell)\n%ls"
    yield Case("honest-shell", files_of(submitted(first=shell)), shows="from-the-shell")
    script = "%%bash\necho in-$(echo bash)"
    yield Case("honest-bash", files_of(submitted(first=script)), shows="in-bash")
    own = "open('mine.txt', 'w').write('x' * 10)\nprint(len(open('mine.txt').read()) * 'y')"
    yield Case("honest-files", files_of(submitted(first=own)), shows="yyyyyyyyyy")


def attacks() -> Iterator[Case]:
    """Wrong answers with tricks, which earn nothing, and right ones that reach for more."""

    def trick(name: str, source: str, tampering: str | None = None, **more: Any) -> Case:
        points = more.pop("points", 0.0)
        return Case(
            name, files_of(submitted(WRONG, first=source)), points, tampering=tampering, **more
        )

    yield trick(
        "asserts-dropped",
        "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node):\n"
        "        return ast.Pass()\nget_ipython().ast_transformers.append(Drop())",
        "code transformers",
    )
    yield trick(
        "run-code-swallows-errors",
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "async def run_code(self, code, result=None, **more):\n    try:\n"
        "        exec(code, self.user_ns)\n    except BaseException:\n        pass\n    return False\n"
        "InteractiveShell.run_code = run_code",
        "run_code",
    )
    yield trick(
        "run-cell-replaced",
        "shell = get_ipython()\nold = shell.run_cell\nshell.run_cell = lambda *a, **k: old('1')",
        "the shell's methods",
    )
    yield trick(
        "numpy-testing-patched",
        "import numpy.testing, numpy.testing._private.utils as u\n"
        "numpy.testing.assert_allclose = u.assert_allclose = lambda *a, **k: None\n"
        "assert_allclose = numpy.testing.assert_allclose",
        "numpy.testing",
    )
    yield trick(
        "numpy-testing-code-patched",
        "import numpy.testing as t\ndef nothing(*a, **k):\n    return None\n"
        "f = t.assert_allclose\nf.__code__ = nothing.__code__",
        "assert_allclose",
    )
    yield trick(
        "builtins-patched",
        "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})\n"
        "builtins.isinstance = lambda *a: True\nbuiltins.abs = lambda x: 0",
        "builtins",
    )
    yield trick("math-patched", "import math\nmath.isclose = lambda *a, **k: True", "math.isclose")
    yield trick(
        "checks-patched",
        "from leverage.lessons import checks, Check, Exercise\n"
        "Check.result = Check.table = lambda *a, **k: None\n"
        "Exercise.__exit__ = lambda *a: True\nchecks.exercise = lambda name: None",
        "leverage.lessons.checks",
    )
    yield trick(
        "check-function-shadowed",
        "class Fake:\n    def __enter__(self): return self\n    def __exit__(self, *a): return True\n"
        "    def __getattr__(self, name): return lambda *a, **k: None\n"
        "exercise = lambda name: Fake()\nassert_allclose = lambda *a, **k: None",
    )
    yield trick(
        "numpy-comparison-patched",
        "np.allclose = np.isclose = lambda *a, **k: True\nnp.array_equal = lambda *a, **k: True",
        "numpy.",
    )
    yield trick(
        "display-hook-replaced",
        "import sys\nget_ipython().display_formatter.format = lambda *a, **k: ({}, {})\n"
        "sys.displayhook = lambda value: None\nsys.excepthook = lambda *a: None",
    )
    yield trick("trace-function", "import sys\nsys.settrace(lambda *a: None)", "trace function")
    yield trick(
        "profile-function", "import sys\nsys.setprofile(lambda *a: None)", "profile function"
    )
    yield trick(
        "exception-handler",
        "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)\n"
        "get_ipython().showtraceback = lambda *a, **k: None",
        "the shell's",
    )
    equal = (
        "class Anything:\n    def __eq__(self, other): return True\n"
        "    def __ne__(self, other): return False\n    def __float__(self): return 12.5\n"
        "    def __array__(self, *a, **k): return np.array(12.5)\n"
        "    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\n"
        "    def __abs__(self): return 0.0\n    def __le__(self, other): return True\n"
        "    __lt__ = __ge__ = __gt__ = __le__\n    def __bool__(self): return True\n"
    )
    answers = {
        "double": "def double(x):\n    return Anything()",
        "total": "total = Anything()",
        "fee": "def fee(amount, rate):\n    return Anything()",
        "losers": "losers = Anything()",
    }
    yield Case(
        "equal-to-everything",
        files_of(submitted(answers, first=equal)),
        0.0,
        tampering="decides its own comparisons",
    )
    lists = (
        "class Same(list):\n    def __eq__(self, other): return True\n"
        "class Number(float):\n    def __eq__(self, other): return True\n"
        "    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__"
    )
    answers = {
        "double": "def double(x):\n    return Same()",
        "total": "total = Number(1)",
        "fee": "def fee(amount, rate):\n    return Number(7)",
        "losers": "losers = Same()",
    }
    yield Case("subclass-equal-to-everything", files_of(submitted(answers, first=lists)), 0.0)
    yield trick(
        "stack-inspection",
        "import inspect, sys\nseen = []\ndef double(x):\n"
        "    for frame in inspect.stack():\n        seen.append(str(frame.frame.f_locals))\n"
        "    return 2 * x",
        None,
    )
    peek = {
        "double": "import sys\nseen = []\ndef double(x):\n    frame = sys._getframe()\n"
        "    while frame:\n        seen.append(repr(frame.f_locals)[:2000] + repr(frame.f_code.co_consts))\n"
        "        frame = frame.f_back\n    return 2 * x"
    }
    yield Case(
        "stack-read-for-hidden-values",
        files_of(submitted(peek, last="print(seen)")),
        FULL,
        tampering="call stack",
        never="9422",
    )
    keep = {"double": "seen = []\ndef double(x):\n    seen.append(x)\n    return 2 * x"}
    yield Case(
        "arguments-remembered", files_of(submitted(keep, last="print(seen)")), FULL, never="4711"
    )
    write = {
        "double": "def double(x):\n    try:\n        open('seen.txt', 'a').write(str(x))\n"
        "    except OSError:\n        pass\n    return 2 * x"
    }
    look = "import os\nprint(open('seen.txt').read() if os.path.exists('seen.txt') else '-')"
    yield Case(
        "arguments-written-down",
        files_of(submitted(write, last=look)),
        FULL,
        never="4711",
        levels=("namespaces", "bubblewrap", "landlock"),
    )
    pipe = {
        "double": "import os\nreading, writing = os.pipe()\nos.set_blocking(reading, False)\n"
        "def double(x):\n    try:\n        os.write(writing, str(x).encode())\n"
        "    except OSError:\n        pass\n    return 2 * x"
    }
    drain = "try:\n    print(os.read(reading, 1000))\nexcept OSError as e:\n    print(e)"
    yield Case("arguments-piped", files_of(submitted(pipe, last=drain)), FULL, never="4711")
    by_name = {
        "double": "import os\nreading, writing = os.pipe()\nos.set_blocking(reading, False)\n"
        "name = os.open(f'/proc/self/fd/{writing}', os.O_PATH)\n"
        "def double(x):\n    try:\n        again = os.open(f'/proc/self/fd/{name}', os.O_WRONLY)\n"
        "        os.write(again, str(x).encode())\n"
        "    except OSError:\n        pass\n    return 2 * x"
    }
    yield Case(
        "arguments-piped-by-name", files_of(submitted(by_name, last=drain)), FULL, never="4711"
    )
    for name, preparation in {
        "limit-lowered": "import resource\nos.dup2(writing, 60)\nwriting = 60\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 64))",
        "close-replaced": "os.close = os.closerange = lambda *a: None",
        "fcntl-replaced": "import fcntl\ndef no(*a):\n    raise OSError\nfcntl.fcntl = no",
    }.items():
        left_open = {"double": pipe["double"].replace("def ", f"{preparation}\ndef ", 1)}
        yield Case(
            f"arguments-piped-{name}",
            files_of(submitted(left_open, last=drain)),
            FULL,
            never="4711",
        )
    nameless = {
        "double": "import os\nplace = os.open('/dev/fd/1', os.O_RDONLY)\n"
        "def double(x):\n    try:\n        if x == 4711:\n"
        "            again = os.open(f'/dev/fd/{place}', os.O_WRONLY)\n"
        "            os.pwrite(again, f'arg{x}'.encode(), 0)\n"
        "    except OSError:\n        pass\n    return 2 * x"
    }
    yield Case(
        "arguments-in-the-outputs",
        files_of(submitted(nameless, last="print(os.pread(place, 1000, 0))")),
        FULL,
        tampering="/dev/fd/1",
        never="4711",
        levels=("namespaces", "bubblewrap", "landlock"),
    )
    started = {
        "double": "import subprocess\ndef double(x):\n    try:\n"
        "        subprocess.Popen(['/bin/sh', '-c', f'sleep 5; : arg{x}'])\n"
        "    except OSError:\n        pass\n    return 2 * x"
    }
    named = (
        "import glob\nfor name in glob.glob('/proc/[0-9]*/cmdline'):\n    try:\n"
        "        print(open(name, 'rb').read()[-60:])\n    except OSError as e:\n        print(e)"
    )
    yield Case(
        "arguments-of-a-program",
        files_of(submitted(started, last=named)),
        FULL,
        never="4711",
        levels=("namespaces", "bubblewrap", "landlock"),
    )
    ended = {
        "double": "import os\nGOT = []\nreal = os.waitstatus_to_exitcode\n"
        "def hook(status):\n    GOT.append(real(status))\n    return real(status)\n"
        "os.waitstatus_to_exitcode = hook\n"
        "def double(x):\n    if x == 4711:\n        os._exit(x % 256)\n    return 2 * x"
    }
    yield Case(
        "arguments-as-exit-code",
        files_of(submitted(ended, last="print('4711' if 4711 % 256 in GOT else GOT)")),
        4.0,
        never="4711",
    )
    listen = {
        "double": "import os, socket, stat, threading, time\nSEEN = []\n"
        "def peek(number):\n    line = socket.socket(fileno=os.dup(number))\n    while True:\n"
        "        data = line.recv(65536, socket.MSG_PEEK)\n"
        "        if b'47' + b'11' in data:\n            SEEN.append(data[:300])\n"
        "        time.sleep(0.0005)\n"
        "for number in range(3, 64):\n    try:\n"
        "        if stat.S_ISSOCK(os.fstat(number).st_mode):\n"
        "            threading.Thread(target=peek, args=(number,), daemon=True).start()\n"
        "    except OSError:\n        pass\n"
        "def double(x):\n    return 2 * x"
    }
    yield Case(
        "arguments-overheard", files_of(submitted(listen, last="print(SEEN)")), FULL, never="4711"
    )
    share = {
        "double": "import mmap\npage = mmap.mmap(-1, 4096)\ndef double(x):\n"
        "    page[:20] = str(x).encode().ljust(20)\n    return 2 * x"
    }
    yield Case(
        "arguments-in-shared-memory",
        files_of(submitted(share, last="print(page[:20])")),
        None,
        status="graded",
        never="4711",
    )
    yield from traces()
    dig = (
        "import gc\nfound = [o for o in gc.get_objects() if 'BEGIN HIDDEN' in repr(type(o)) or\n"
        "         (isinstance(o, str) and 'hidden-number' in o)]\n"
        "text = [s for o in gc.get_objects() if isinstance(o, dict) for s in list(o.values())\n"
        "        if isinstance(s, str) and 'hidden' + '-number' in s]\nprint(text)"
    )
    yield Case(
        "memory-searched",
        files_of(submitted(last=dig)),
        FULL,
        tampering="searched the memory",
        never=SECRET,
    )
    memory = (
        "needle = b'hidden' + b'-number'\nfound = False\n"
        "try:\n    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb') as mem:\n"
        "        for row in maps:\n            a, b = (int(p, 16) for p in row.split()[0].split('-'))\n"
        "            if 'r' not in row.split()[1] or b - a > 5e7: continue\n"
        "            try:\n                mem.seek(a); data = mem.read(b - a)\n"
        "            except (OSError, OverflowError, ValueError): continue\n"
        "            if needle + b'-4711' in data: found = True\n"
        "except OSError as error:\n    print(error)\nprint('LEAKED' if found else 'nothing')"
    )
    yield Case(
        "memory-read-through-proc",
        files_of(submitted(last=memory)),
        FULL,
        tampering="/proc/self/",
        never="LEAKED",
    )
    forge = (
        "import os, struct, json\nfor fd in range(3, 30):\n    try:\n"
        "        text = json.dumps({'answer': 1, 'passed': True, 'outputs': [], 'error': ''}).encode()\n"
        "        os.write(fd, struct.pack('!Q', len(text)) + text)\n    except OSError:\n        pass"
    )
    yield trick("forged-answers-on-descriptors", forge, "forged a message", status="partly graded")
    noise = "import os\nfor fd in range(3, 30):\n    try:\n        os.write(fd, b'x' * 50)\n    except OSError:\n        pass"
    yield trick("noise-on-descriptors", noise, "forged a message", status="partly graded")
    shut = "import os\nfor fd in range(3, 30):\n    try:\n        os.close(fd)\n    except OSError:\n        pass"
    yield trick("closed-descriptors", shut, status="partly graded")
    yield trick(
        "atexit-and-del",
        "import atexit, sys\natexit.register(lambda: print('all passed'))\n"
        "class Late:\n    def __del__(self):\n        import builtins\n        builtins.abs = lambda x: 0\n"
        "late = Late()\ndel late",
        "builtins.abs",
    )
    yield trick(
        "thread-waits-for-the-test",
        "import threading, time, builtins\ndef wait():\n    for _ in range(200):\n        time.sleep(0.01)\n"
        "        for name in ('total',):\n            if 'check' in globals() or 'expected' in globals():\n"
        "                globals()['total'] = 12.5\nthreading.Thread(target=wait, daemon=True).start()",
    )
    yield trick(
        "signal-handler",
        "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.alarm(1)",
    )
    yield trick(
        "classroom-imported",
        "try:\n    import classroom.grading.judge as judge\n    judge.TestRunner.run = None\n"
        "except ImportError as error:\n    print(error)",
        "classroom",
    )
    yield trick(
        "source-edited-in-its-own-notebook",
        "import os, glob\nfor name in glob.glob('*.ipynb') + glob.glob('../*.ipynb'):\n    print('LEAKED', name)",
        never="LEAKED",
    )
    yield trick("recursion-limit", "import sys\nsys.setrecursionlimit(20)")
    secret = os.environ.get("GRADING_TEST_SECRETS", "/nonexistent")
    reading = (
        "import os\nfor root in [PLACE]:\n    for folder, _, names in os.walk(root):\n"
        "        for name in names:\n            try:\n"
        "                print('LEAKED', open(os.path.join(folder, name), 'rb').read(200))\n"
        "            except OSError as error:\n                print(type(error).__name__)\n"
        "    try:\n        print(os.listdir(root), 'LEAKED')\n    except OSError as error:\n"
        "        print(type(error).__name__)"
    ).replace("PLACE", repr(secret))
    outside = ("namespaces", "bubblewrap", "landlock")
    yield Case(
        "reads-the-class",
        files_of(submitted(last=reading)),
        never="LEAKED",
        levels=outside,
    )
    writing = (
        "import os\nfor place in [PLACE, '/var/tmp', '/usr', os.path.expanduser('~root'), '/etc']:\n"
        "    try:\n        open(os.path.join(place, 'planted-by-a-student'), 'w').write('x')\n"
        "        print('LEAKED', place)\n    except OSError as error:\n        print(type(error).__name__)"
    ).replace("PLACE", repr(secret))
    yield Case("plants-files", files_of(submitted(last=writing)), never="LEAKED", levels=outside)
    environment = (
        "import os\nprint('LEAKED' if 'GRADING_TEST_TOKEN' in os.environ else 'clean')\n"
        "for pid in ['self', '1', str(os.getppid())]:\n    try:\n"
        "        if b'GRADING_TEST_TOKEN' in open(f'/proc/{pid}/environ', 'rb').read():\n"
        "            print('LEAKED', pid)\n    except OSError as error:\n"
        "        print(type(error).__name__)"
    )
    yield Case(
        "reads-the-environment",
        files_of(submitted(last=environment)),
        tampering="environ",
        never="LEAKED",
    )
    port = os.environ.get("GRADING_TEST_PORT", "9")
    network = (
        "import socket\nfor kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n    try:\n"
        "        s = socket.socket(socket.AF_INET, kind)\n        s.settimeout(0.5)\n"
        f"        s.connect(('127.0.0.1', {port}))\n        s.send(b'x')\n        print('LEAKED', kind)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
        "try:\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0grading-test')\n    print('LEAKED unix')\n"
        "except OSError as error:\n    print(type(error).__name__)"
    )
    yield Case(
        "reaches-for-the-network",
        files_of(submitted(last=network)),
        never="LEAKED",
        levels=outside,
    )
    signals = (
        "import os, signal\nfor pid in range(2, 40000):\n    if pid == os.getpid(): continue\n"
        "    try:\n        os.kill(pid, signal.SIGKILL)\n        print('LEAKED', pid)\n"
        "    except OSError:\n        pass"
    )
    yield Case(
        "kills-other-processes",
        files_of(submitted(last=signals)),
        tampering="signal",
        never="LEAKED",
        levels=("namespaces", "bubblewrap"),
    )
    quizzes = (
        "import leverage, pathlib\nfor path in pathlib.Path(leverage.__file__).parent.rglob('quizzes.json'):\n"
        "    try:\n        print('LEAKED' if 'answer' in path.read_text() else 'masked')\n"
        "    except OSError as error:\n        print(type(error).__name__)"
    )
    yield Case(
        "reads-the-quizzes",
        files_of(submitted(last=quizzes)),
        never="LEAKED",
        levels=("namespaces", "landlock"),
    )
    odd = {
        "total": "class Meta(type):\n    def __getattribute__(self, name):\n        raise SystemExit\n"
        "class Odd(metaclass=Meta):\n    pass\ntotal = Odd()"
    }
    yield Case("answer-that-cannot-be-looked-at", files_of(submitted(odd)), FULL - 1)
    changing = {"total": "total = 1 << 100_000_000"}
    yield Case("answer-without-end", files_of(submitted(changing)), FULL - 1)
    long = {"double": "def double(x):\n    raise ValueError('x' * 20_000_000)"}
    yield Case("message-without-end", files_of(submitted(long)), FULL - 2)
    forged = (
        "import sys\nrunner = sys.modules['classroom.grading.runner']\n"
        "text = 'forged ' * 20_000\nrunner.Notebook.collect = lambda self: [\n"
        "    {'output_type': 'stream', 'name': 'stdout', 'text': text}]"
    )
    yield Case(
        "outputs-forged",
        files_of(submitted(WRONG, first=forged, last=["pass"] * 40)),
        0.0,
        tampering="Notebook.collect",
    )
    nested = (
        "data = {}\nfor _ in range(900):\n    data = {'a': data}\n"
        "display({'text/plain': 'x', 'application/json': data}, raw=True, metadata=data)\n"
        "display({'text/plain': 'x', 'application/json': float('nan')}, raw=True)"
    )
    yield Case("outputs-nested", files_of(submitted(first=nested)))
    namespace = (
        "import ctypes, platform\nlibc = ctypes.CDLL(None)\n"
        "number = {'x86_64': 56, 'aarch64': 220}[platform.machine()]\n"
        "child = libc.syscall(number, 0x1000_0000 | 17, 0, 0, 0, 0)\n"
        "if child == 0: libc._exit(0)\nprint('LEAKED' if child > 0 else 'refused')"
    )
    yield Case(
        "namespace-of-its-own",
        files_of(submitted(last=namespace)),
        tampering="C code",
        shows="refused",
        never="LEAKED",
    )
    sent = (
        "import socket\ntry:\n    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "    print('LEAKED')\nexcept OSError as error:\n    print('re' + 'fused')"
    )
    yield Case(
        "sends-to-a-socket-by-name", files_of(submitted(last=sent)), shows="refused", never="LEAKED"
    )
    signalled = (
        "import os\ndone = []\nfor pid in {os.getppid(), *range(2, 40_000)} - {os.getpid()}:\n"
        "    try:\n        os.kill(pid, 0)\n        done.append(pid)\n    except OSError: pass\n"
        "print('LEAKED' if done else 'refused')"
    )
    yield Case(
        "signals-others",
        files_of(submitted(last=signalled)),
        shows="refused",
        never="LEAKED",
        levels=("landlock", "limits"),
    )
    others = (
        "import os\ndone = []\nfor pid in {os.getppid(), *range(os.getpid() - 60, os.getpid() + 10)}:\n"
        "    if pid in (0, os.getpid()): continue\n"
        "    for act in (lambda: os.sched_setaffinity(pid, {0}),\n"
        "                lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),\n"
        "                lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))):\n"
        "        try:\n            act()\n            done.append(pid)\n        except OSError: pass\n"
        "try:\n    os.setpriority(os.PRIO_USER, os.getuid(), 19)\n    done.append('user')\n"
        "except OSError: pass\nprint('LEAKED' if done else 'refused')"
    )
    yield Case("slows-others", files_of(submitted(last=others)), shows="refused", never="LEAKED")
    points = submitted(WRONG)
    points["cells"][3]["metadata"]["nbgrader"]["points"] = 100
    yield Case("points-raised", files_of(points), 0.0, tampering="changed the points")


WATCHING = """import os, re, threading, time
SEEN, OTHERS = set(), {str(os.getpid()), '1'}
def watch(seconds):
    end = time.time() + seconds
    while time.time() < end:
        for pid in set(filter(str.isdigit, os.listdir('/proc'))) - OTHERS:
            try:
                with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb') as memory:
                    for row in maps:
                        if ' rw' not in row: continue
                        first, last = (int(part, 16) for part in row.split()[0].split('-'))
                        if last - first > 3e7: continue
                        try:
                            memory.seek(first)
                            SEEN.update(re.findall(rb'arg(\\d+)!', memory.read(last - first)))
                        except (OSError, OverflowError, ValueError): pass
            except OSError: pass
"""


def traces() -> Iterator[Case]:
    """Functions that leave what a hidden test asked where a later cell may find it."""

    def trace(name: str, before: str, inside: str, after: str, **more: Any) -> Case:
        lines = "".join(f"        {line}\n" for line in inside.splitlines())
        answer = (
            f"{before}\ndef double(x):\n    try:\n        x + 0\n{lines}"
            "    except (TypeError, OSError):\n        pass\n    return 2 * x"
        )
        document = submitted({"double": answer}, last=after)
        return Case(f"argument-{name}", files_of(document), never="4711", **more)

    opened = "import os\nopen('t', 'w').close()"
    yield trace(
        "in-a-files-position",
        "import os\nfile = open('prices.csv', 'rb')",
        "os.lseek(file.fileno(), x, 0)",
        "print(os.lseek(file.fileno(), 0, 1))",
    )
    yield trace(
        "in-a-files-time",
        opened,
        "os.utime('t', (x, x))",
        "print('4711' if os.stat('t').st_mtime == 4711 else '')",
    )
    yield trace(
        "in-a-files-rights",
        opened,
        "os.chmod('t', x % 512)",
        "print('4711' if os.stat('t').st_mode % 512 == 4711 % 512 else '')",
    )
    yield trace(
        "in-times-of-access",
        "import os\nfor i in range(13):\n    open(f'b{i}', 'w').write('x')\n    os.utime(f'b{i}', (5, 10))",
        "for i in range(13):\n    if x >> i & 1: open(f'b{i}').read()",
        "print(sum((os.stat(f'b{i}').st_atime > 6) << i for i in range(13)))",
        levels=("namespaces", "bubblewrap"),
    )
    yield trace(
        "in-a-descriptors-flags",
        "import fcntl, os",
        "if x == 4711: fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK)",
        "print('4711' if fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK else '')",
    )
    held = "global kept\nkept = f'arg{x}!'\nif x == 4711: time.sleep(0.3)"
    yield trace(
        "seen-by-a-thread",
        WATCHING + "threading.Thread(target=watch, args=(2,), daemon=True).start()",
        held,
        "print(SEEN)",
        levels=("namespaces", "bubblewrap"),
    )
    yield trace(
        "seen-by-a-process",
        WATCHING
        + "r, w = os.pipe()\nif os.fork() == 0:\n    OTHERS.add(str(os.getpid()))\n    watch(2)\n"
        "    os.write(w, repr(SEEN).encode())\n    os._exit(0)",
        held,
        "print(os.read(r, 1000))",
        levels=("namespaces", "bubblewrap"),
    )


def faults() -> Iterator[Case]:
    """Careless and broken submissions."""
    partly, cannot = "partly graded", "cannot be graded"

    def cell(name: str, source: str, points: float | None = FULL, **more: Any) -> Case:
        return Case(name, files_of(submitted(first=source)), points, **more)

    yield cell("endless-loop", "while True:\n    pass", says="too long")
    yield Case(
        "endless-function",
        files_of(submitted({"double": "def double(x):\n    while True:\n        pass"})),
        4.0,
        says="too long",
    )
    ignoring = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
    yield cell(
        "endless-loop-that-ignores-interrupts", ignoring, 0.0, status=partly, says="interrupted"
    )
    yield cell("sleep", "import time\ntime.sleep(60)", says="too long")
    yield cell(
        "memory-bomb",
        "x = []\nwhile True:\n    x.append(bytearray(20_000_000))",
        shows="MemoryError",
    )
    yield cell("memory-at-once", "x = np.ones(10**10)", shows="MemoryError")
    yield cell(
        "fork-bomb",
        "import os, time\ntry:\n    for _ in range(60):\n        if os.fork() == 0:\n"
        "            time.sleep(30)\n            os._exit(0)\nexcept OSError as error:\n    print(error)",
        None,
        status="",
    )
    yield cell("output-in-lines", "for i in range(100_000):\n    print('line', i)", says="output")
    yield cell("output-in-one-line", "print('x' * 20_000_000)", says="output")
    yield cell("many-displays", "for i in range(5_000):\n    display(i)", says="output")
    yield cell(
        "output-from-c",
        "import os\nfor _ in range(2_000):\n    os.write(1, b'y' * 1000)",
        says="output",
    )
    yield cell("os-exit", "import os\nos._exit(3)", 0.0, status=partly, says="ended")
    yield cell("segfault", "import ctypes\nctypes.string_at(0)", 0.0, status=partly, says="ended")
    yield cell("abort", "import os\nos.abort()", 0.0, status=partly, says="ended")
    yield Case(
        "os-exit-at-the-end",
        files_of(submitted(last="import os\nos._exit(0)")),
        FULL,
        status=partly,
        says="ended",
    )
    yield Case(
        "os-exit-in-a-function",
        files_of(submitted({"double": "import os\ndef double(x):\n    os._exit(0)"})),
        4.0,
    )
    yield cell("sys-exit", "import sys\nsys.exit(1)", shows="SystemExit")
    yield cell("exit", "exit()")
    yield cell("stdout-closed", "import sys\nsys.stdout.close()\nsys.stderr.close()")
    yield cell(
        "stdout-replaced",
        "import sys, io\nsys.stdout = sys.stderr = io.StringIO()",
        says="replaced sys.stdout",
    )
    yield cell(
        "stdout-none", "import sys\nsys.stdout = sys.stderr = None", says="replaced sys.stdout"
    )
    yield cell("stdout-descriptors-closed", "import os\nos.close(1)\nos.close(2)")
    yield cell("syntax-error", "def broken(:\n    pass", shows="SyntaxError")
    yield cell("input", "name = input('who? ')", shows="StdinNotImplementedError")
    yield cell("background-process", "!sleep 300 &", shows="Background processes")
    yield cell("background-bash", "%%bash\nsleep 300 &", None, status="")
    yield cell(
        "daemon",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300)\n    os._exit(0)",
    )
    yield cell(
        "thread-left",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
    )
    yield cell(
        "busy-threads",
        "import threading\ndef spin():\n    while True:\n        pass\nthreading.Thread(target=spin, daemon=True).start()",
    )
    yield cell("deep-recursion", "def f():\n    return f()\nf()", shows="RecursionError")
    yield Case(
        "recursive-answer",
        files_of(submitted({"double": "def double(x):\n    return double(x)"})),
        4.0,
    )
    yield cell(
        "unprintable",
        "class Mute:\n    def __repr__(self): raise ValueError('no')\nMute()",
        shows="ValueError",
    )
    yield cell("surrogates", "print('\\ud800')\n'\\udfff'")
    yield cell("chdir", "import os\nos.chdir('/')")
    yield cell("files-written", "for i in range(50):\n    open(f'f{i}', 'w').write('x' * 1000)")
    yield cell(
        "disk-bomb",
        "try:\n    open('big', 'wb').write(b'x' * 50_000_000)\nexcept OSError as error:\n    print('too', 'big')",
        shows="too big",
    )
    yield cell(
        "files-open",
        "files = []\ntry:\n    while True:\n        files.append(open('/dev/null'))\nexcept OSError as error:\n    print(len(files) < 100)\nfinally:\n    files.clear()",
        shows="True",
    )
    yield cell(
        "clock",
        "import time\ntime.time = lambda: 0.0\ntime.monotonic = lambda: 0.0\ntime.perf_counter = time.time",
        tampering="time.",
    )
    yield cell(
        "clock-set",
        "import time\ntry:\n    time.clock_settime(time.CLOCK_REALTIME, 0)\nexcept OSError as error:\n    print('re' + 'fused')",
        shows="refused",
    )
    yield cell(
        "all-private-folders-filled",
        "import os, time\nfull = 0\nfor folder in ('/tmp', '/work', '/dev/shm'):\n    try:\n"
        "        for i in range(9):\n            open(f'{folder}/full{i}', 'wb').write(b'x' * 2_000_000)\n"
        "            full += 2\n    except OSError: pass\ntime.sleep(0.5)\nprint(full, 'MB' if full <= 10 else 'LEAKED')",
        never="LEAKED",
        shows=" MB",
        levels=("namespaces", "bubblewrap"),
    )
    yield cell(
        "folder-filled",
        "import time\nfor i in range(9):\n    open(f'full{i}', 'wb').write(b'x' * 2_000_000)\n"
        "    time.sleep(0.2)\ntime.sleep(2)",
        0.0,
        status=partly,
        says="its files took more",
        levels=("landlock", "limits"),
    )
    yield cell(
        "files-deleted-but-open",
        "import os, time\nkept = []\nfor i in range(9):\n    kept.append(open('full', 'wb'))\n"
        "    kept[-1].write(b'x' * 2_000_000)\n    kept[-1].flush()\n    os.unlink('full')\n"
        "    time.sleep(0.2)\ntime.sleep(2)",
        0.0,
        status=partly,
        says="its files took more",
        levels=("landlock", "limits"),
    )
    yield cell(
        "kills-itself",
        "import os\nos.kill(os.getpid(), 9)",
        0.0,
        status=partly,
        says="ended",
        levels=("landlock", "limits"),
    )
    yield Case(
        "kills-itself-in-a-function",
        files_of(submitted({"double": "import os\ndef double(x):\n    os.kill(os.getpid(), 9)"})),
        4.0,
        says="killed, twice",
    )
    errors = {
        "FileNotFoundError": "open('nothing')",
        "UnicodeDecodeError": "b'\\xff'.decode()",
        "ExceptionGroup": "raise ExceptionGroup('all', [ValueError()])",
    }
    for error, line in errors.items():
        yield Case(
            f"raises-{error}",
            files_of(submitted({"double": f"def double(x):\n    {line}"})),
            4.0,
            says=f"The test stopped with {error}: ",
        )
    yield cell("interrupt-handler", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
    yield cell("everything-deleted", "%reset -f", 5.0)

    yield cell("warnings-as-errors", "import warnings\nwarnings.simplefilter('error')")
    yield cell("kernel-restart", "get_ipython().kernel.do_shutdown(True)", shows="AttributeError")

    yield from structure_faults(cannot)


def structure_faults(cannot: str) -> Iterator[Case]:
    """Notebooks whose cells or files are not as they should be."""

    def changed(
        name: str, change: Callable[[dict[str, Any]], Any], points: float | None = FULL, **more: Any
    ) -> Case:
        document = submitted()
        result = change(document)
        return Case(
            name, files_of(result if isinstance(result, dict) else document), points, **more
        )

    def drop(*names: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            document["cells"] = [c for c in document["cells"] if c["id"] not in names]

        return change

    def at(document: dict[str, Any], name: str) -> dict[str, Any]:
        return next(cell for cell in document["cells"] if cell["id"] == name)

    def double(name: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            cells = document["cells"]
            position = cells.index(at(document, name))
            cells.insert(position + 1, {**cells[position], "id": "copy"})

        return change

    def lose(*names: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            for number, cell in enumerate(document["cells"]):
                if not names or cell["id"] in names:
                    cell["metadata"], cell["id"] = {}, str(number)

        return change

    def retype(name: str, kind: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            at(document, name)["cell_type"] = kind

        return change

    def edit(name: str, source: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            at(document, name)["source"] = source

        return change

    def schema(**more: Any) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            for cell in document["cells"]:
                if "nbgrader" in cell["metadata"]:
                    cell["metadata"]["nbgrader"].update(more)

        return change

    def put(**more: Any) -> Callable[[dict[str, Any]], None]:
        return lambda document: document.update(more)

    yield changed("test-deleted", drop("double-test"), says="put the deleted cell double_test back")
    yield changed("all-tests-deleted", drop(*(f"{name}-test" for name in ANSWERS)))
    yield changed("manual-deleted", drop("why"), says="put the deleted cell why back")
    yield changed("answer-deleted", drop("total"), 5.0, says="total is missing")
    yield changed("setup-deleted", drop("setup"), says="put the deleted cell setup back")
    yield changed("test-duplicated", double("double-test"), says="2 cells named double_test")
    yield changed("answer-duplicated", double("double"), says="2 cells named double")
    yield changed("test-edited", edit("double-test", "pass"), says="restored the text")
    yield changed("setup-edited", edit("setup", "pass"), says="restored the text")
    yield changed("test-made-markdown", retype("double-test", "markdown"), says="a code cell again")
    yield changed("answer-made-raw", retype("double", "raw"), says="a code cell again")
    yield changed("manual-made-code", retype("why", "code"), says="a markdown cell again")
    yield changed("reversed", lambda d: d["cells"].reverse(), says="in the order")
    yield changed(
        "tests-first",
        lambda d: d["cells"].sort(key=lambda c: not c["id"].endswith("-test")),
        says="in the order",
    )
    yield changed("metadata-lost", lose(), says="lost its metadata")
    yield changed("metadata-of-a-test-lost", lose("double-test"), says="double_test")
    yield changed("metadata-of-an-answer-lost", lose("double"), says="double")
    yield changed(
        "metadata-is-a-list", lambda d: [c.update(metadata=[]) for c in d["cells"]] and None
    )
    yield changed("schema-old", schema(schema_version=1))
    yield changed("schema-new", schema(schema_version=99))
    yield changed(
        "schema-foreign", schema(schema_version="x", grade="yes", points=None, extra={}), None
    )
    yield changed("nbformat-5", put(nbformat=5), says="format 5")
    yield changed("nbformat-4-99", put(nbformat_minor=99))
    yield changed("nbformat-missing", lambda d: d.pop("nbformat") and None, says="format")
    yield changed(
        "nbformat-3",
        lambda d: {
            "nbformat": 3,
            "nbformat_minor": 0,
            "metadata": {},
            "worksheets": [
                {
                    "cells": [
                        {k: v for k, v in c.items() if k not in ("source", "id")}
                        | (
                            {"input": c["source"]}
                            if c["cell_type"] == "code"
                            else {"source": c["source"]}
                        )
                        for c in d["cells"]
                    ]
                }
            ],
        },
        says="format 3",
    )
    yield changed(
        "kernelspec-foreign",
        put(metadata={"kernelspec": {"name": "julia-1.9", "language": "julia"}}),
    )
    yield changed(
        "cells-of-lines",
        lambda d: (
            [c.update(source=c["source"].splitlines(keepends=True)) for c in d["cells"]] and None
        ),
    )
    yield changed("cell-is-a-number", lambda d: d["cells"].append(7), says="no cell")
    yield changed(
        "cell-of-unknown-type",
        lambda d: d["cells"].append({"cell_type": "video"}),
        says="unknown type",
    )
    yield changed("source-is-a-number", lambda d: at(d, "total").update(source=3), 5.0)
    yield changed("ids-twice", lambda d: [c.update(id="same") for c in d["cells"]] and None)
    yield changed(
        "foreign-grade-ids",
        lambda d: d["cells"].append(
            code("1", meta("other_course", grade=True, points=50, locked=True))
        ),
    )

    whole = json.dumps(submitted()).encode()
    name = f"{NAME}.ipynb"

    def broken(label: str, content: bytes, says: str) -> Case:
        return Case(label, ((name, content),), 0.0, status=cannot, says=says)

    yield broken("not-utf-8", '{"cells": "é"}'.encode("latin-1"), "UTF-8")
    yield Case("utf-16", ((name, json.dumps(submitted()).encode("utf-16")),))
    yield Case("utf-8-with-mark", ((name, b"\xef\xbb\xbf" + whole),))
    yield broken("empty", b"", "empty")
    yield broken("truncated", whole[: len(whole) // 2], "cut off")
    yield broken("not-json", b"print('hello')", "not JSON")
    yield broken("picture", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "UTF-8")
    yield broken("other-json", b'{"a": 1}', "no cells")
    yield broken("json-list", b"[1, 2]", "no cells")
    yield broken("json-nested-without-end", b"[" * 200_000, "no notebook")
    yield broken("json-number-without-end", b'{"nbformat": ' + b"9" * 10_000 + b"}", "not JSON")
    yield Case(
        "json-numbers-that-are-none", ((name, whole[:-1] + b', "x": [NaN, Infinity, 1e999]}'),)
    )
    yield Case("json-keys-twice", ((name, whole[:-1] + b', "nbformat": 4, "nbformat": 4}'),))
    printed = {"output_type": "stream", "name": "stdout", "text": "x"}
    many = submitted()
    many["cells"][2]["outputs"] = [printed] * 200_000
    yield Case("outputs-without-end", ((name, json.dumps(many).encode()),))
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    yield changed("metadata-nested", lambda d: at(d, "double")["metadata"].update(deep=deep))
    yield changed(
        "metadata-nested-in-a-cell-of-its-own",
        lambda d: d["cells"].append(code("1", {"deep": deep, "nan": float("nan")})),
    )
    yield changed(
        "cells-without-end",
        lambda d: d["cells"].extend([text("more", name="more")] * 100_000),
        says="only the first 3000 cells",
    )
    yield broken("no-cells", json.dumps(notebook([])).encode(), "no cells")
    yield Case("missing", (), 0.0, status=cannot, says="No notebook")
    yield Case("only-data", (("notes.txt", b"x"),), 0.0, status=cannot, says="No notebook")
    yield Case(
        "renamed", files_of(submitted(), "my homework (final).ipynb"), says="took my homework"
    )
    yield Case("capital-letters", files_of(submitted(), "LAB.IPYNB"), says="took LAB.IPYNB")
    yield Case(
        "several",
        (*files_of(notebook([code("1")]), "a.ipynb"), *files_of(submitted(), "b.ipynb")),
        says="2 notebooks",
    )
    yield Case(
        "of-another-course",
        files_of(notebook([code("x = 1")]), "other.ipynb"),
        0.0,
        status=cannot,
        says="not the one",
    )
    yield Case(
        "links",
        files_of(submitted()),
        problems=("gradebook.db is a link and was not followed",),
        says="is a link",
    )
    yield Case(
        "own-data",
        (
            *files_of(submitted(first="print(open('own/data.csv').read())")),
            ("own/data.csv", b"own-data"),
        ),
        shows="own-data",
    )
    yield Case(
        "data-of-the-release-changed", (*files_of(submitted()), ("prices.csv", b"coin,pnl\nX,-1\n"))
    )
    yield Case("names-that-leave-the-folder", (*files_of(submitted()), ("../evil.txt", b"x")))
    blank = dict.fromkeys(ANSWERS, "# YOUR CODE HERE\nraise NotImplementedError()")
    yield Case("blank", files_of(submitted(blank)), 0.0)


KINDS = {"honest": honest, "attacks": attacks, "faults": faults}


def grade_all(
    release: Release, cases: Iterable[Case], level: str, workers: int = 4
) -> dict[str, Outcome]:
    """Grade cases at a level; the outcomes by name."""
    with Grader(release, LIMITS, level=level, workers=workers, allow_limits_only=True) as grader:
        submissions = (case.submission() for case in cases)
        return {outcome.student: outcome for outcome in grader.run(submissions)}


def main(level: str, kinds: str, folder: str) -> None:
    """Grade kinds of cases at a level and write the outcomes."""
    place = Path(folder)
    cases = [case for kind in kinds.split(",") for case in KINDS[kind]()]
    cases = [case for case in cases if level in case.levels]
    outcomes = grade_all(make_release(place), cases, level)
    data = {name: outcome.to_json() for name, outcome in outcomes.items()}
    (place / "outcomes.json").write_text(json.dumps([os.getuid(), data]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
