"""Renew the two hash-pinned lock files (`make lock`).

`binder/requirements.txt` pins what running the course needs; Binder, CI and local installs use it alike.
`tests/requirements.txt` starts with `-r ../binder/requirements.txt` and adds only what tests and tools need on top.
Both are in pip's requirements format and hold for every supported Python by environment markers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUPPORTED_PYTHONS = ("3.11", "3.12", "3.13")

RUNTIME_HEADER = """\
# What running the course needs, pinned with hashes for Python 3.11 to 3.13.
# Made from pyproject.toml by `make lock`; do not edit by hand.
"""
TEST_HEADER = """\
# What tests and tools need on top of the course, pinned with hashes for Python 3.11 to 3.13.
# Made from pyproject.toml (extra: test) by `make lock`; do not edit by hand.
-r ../binder/requirements.txt
"""


def split_requirements(text: str) -> list[str]:
    r"""Split a compiled requirements file into one block per pinned requirement.

    A block is the `name==version` line with its continuation lines of hashes.

    >>> split_requirements("a==1 \\\n    --hash=sha256:0\nb==2\n")
    ['a==1 \\\n    --hash=sha256:0', 'b==2']
    """
    blocks: list[str] = []
    for line in text.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            blocks.append(line)
        elif blocks and line.startswith(" "):
            blocks[-1] += "\n" + line
    return blocks


def requirements_on_top(base: str, full: str) -> str:
    r"""Return the requirements of `full` that `base` does not already pin.

    >>> requirements_on_top("a==1\n", "a==1\nb==2\n")
    'b==2\n'
    """
    pinned = set(split_requirements(base))
    extra = [block for block in split_requirements(full) if block not in pinned]
    names = {block.split("==")[0] for block in pinned}
    clashes = [block.splitlines()[0] for block in extra if block.split("==")[0] in names]
    if clashes:
        raise ValueError(
            "the test lock would pin another version than the course's lock: "
            + ", ".join(clashes)
            + "; widen the range in pyproject.toml so that one version fits both"
        )
    return "".join(block + "\n" for block in extra)


def compile_lock(root: Path, output: Path, *arguments: str, upgrade: bool) -> str:
    """Compile pyproject.toml with uv and return the text of the lock."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise FileNotFoundError(
            "the program uv was not found; install the tools with: make install"
        )
    command = [uv, "pip", "compile", "--universal", "--python-version", SUPPORTED_PYTHONS[0]]
    command += [
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-python-downloads",
        "--quiet",
    ]
    command += ["--system-certs", *(["--upgrade"] if upgrade else []), *arguments]
    command += ["pyproject.toml", "--output-file", str(output)]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    return output.read_text(encoding="utf-8")


def renew(root: Path, *, upgrade: bool = True) -> None:
    """Write both lock files below `root`."""
    runtime, test = root / "binder" / "requirements.txt", root / "tests" / "requirements.txt"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "course.txt"
        if runtime.exists():
            scratch.write_text(runtime.read_text(encoding="utf-8"), encoding="utf-8")
        base = compile_lock(root, scratch, upgrade=upgrade)
        everything = Path(folder) / "everything.txt"
        full = compile_lock(
            root, everything, "--extra", "test", "--constraint", str(scratch), upgrade=upgrade
        )
        on_top = requirements_on_top(base, full)
    runtime.write_text(
        RUNTIME_HEADER + "".join(b + "\n" for b in split_requirements(base)), encoding="utf-8"
    )
    test.write_text(TEST_HEADER + on_top, encoding="utf-8")
    print(f"{runtime.relative_to(root)}: {len(split_requirements(base))} packages")
    print(f"{test.relative_to(root)}: {len(split_requirements(on_top))} more")


if __name__ == "__main__":
    renew(Path(__file__).resolve().parents[2], upgrade="--keep" not in sys.argv[1:])
