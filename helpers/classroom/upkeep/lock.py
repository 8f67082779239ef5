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

SUPPORTED_PYTHONS = ("3.11", "3.12", "3.13", "3.14")

RUNTIME_HEADER = """\
# What running the course needs, pinned with hashes for Python 3.11 to 3.14.
# Made from pyproject.toml (extra: classroom) by `make lock`; do not edit by hand.
"""
TEST_HEADER = """\
# What tests and tools need on top of the course, pinned with hashes for Python 3.11 to 3.14.
# Made from pyproject.toml (extras: classroom, site, test) by `make lock`; do not edit by hand.
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


def parted(course: str, everything: str) -> tuple[str, str]:
    r"""Part the requirements of `everything` into those that `course` names too, and the rest.

    Both parts keep the pins and markers of `everything`, so they can never disagree.

    >>> parted("a==1\n", "a==1 ; sys_platform != 'win32'\nb==2\n")
    ("a==1 ; sys_platform != 'win32'\n", 'b==2\n')
    """
    names = {block.split("==")[0] for block in split_requirements(course)}
    parts: tuple[list[str], list[str]] = ([], [])
    for block in split_requirements(everything):
        parts[block.split("==")[0] not in names].append(block + "\n")
    base, on_top = map("".join, parts)
    return base, on_top


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


def _read_blocks(lock: Path) -> str:
    return "".join(block + "\n" for block in split_requirements(lock.read_text(encoding="utf-8")))


def renew(root: Path, *, upgrade: bool = True) -> None:
    """Write both lock files below `root`."""
    runtime, test = root / "binder" / "requirements.txt", root / "tests" / "requirements.txt"
    with tempfile.TemporaryDirectory() as folder:
        everything, course = Path(folder) / "everything.txt", Path(folder) / "course.txt"
        if runtime.exists() and test.exists():
            pinned = [*map(_read_blocks, (runtime, test))]
            everything.write_text("".join(pinned), encoding="utf-8")
        # First all of it, then the course within it: a tool's exact pin binds the course too,
        # so that one version of each package fits both.
        course_extra = ("--extra", "classroom")
        tools = (*course_extra, "--extra", "site", "--extra", "test")
        full = compile_lock(root, everything, *tools, upgrade=upgrade)
        if runtime.exists():
            course.write_text(_read_blocks(runtime), encoding="utf-8")
        pins = ("--constraint", str(everything))
        base = compile_lock(root, course, *course_extra, *pins, upgrade=upgrade)
        base, on_top = parted(base, full)
    runtime.write_text(RUNTIME_HEADER + base, encoding="utf-8")
    test.write_text(TEST_HEADER + on_top, encoding="utf-8")
    print(f"{runtime.relative_to(root)}: {len(split_requirements(base))} packages")
    print(f"{test.relative_to(root)}: {len(split_requirements(on_top))} more")


if __name__ == "__main__":
    renew(Path(__file__).resolve().parents[3], upgrade="--keep" not in sys.argv[1:])
