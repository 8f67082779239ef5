"""Runs a command as an ordinary user on Ubuntu 24.04 would: without user namespaces.

`python tests/restricted.py -m pytest tests/grading` runs the tests of the grader with what is left
there, which is Landlock. As root it becomes an unprivileged user first.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from classroom.grading import linux
from classroom.grading.sandbox import launch_command


def main(arguments: list[str]) -> None:
    """Refuse user namespaces, and become Python with these arguments."""
    if os.geteuid() == 0:
        os.environ["HOME"] = "/tmp"
        command = launch_command([sys.executable, str(Path(__file__).resolve()), *arguments])
        os.execv(command[0], command)
    linux.refuse_namespaces()
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
