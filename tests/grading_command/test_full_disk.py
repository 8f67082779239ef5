"""A class on a file system that is really full: a sentence, nothing half-written, and it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_class import CHAPTER, RIGHT, SmallClass, source_notebook

from classroom.marking.gradebook import Gradebook

MOUNT = """
import os, sys
from pathlib import Path
from classroom.grading import linux

folder, size = sys.argv[1:3]
user, group = os.geteuid(), os.getegid()
linux.unshare(linux.NEWNS | (linux.NEWUSER if user else 0))
if user:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
linux.mount("tmpfs", folder, "tmpfs", 0, f"size={size}k,mode=755")
"""
RUN = """
import io, shutil
from contextlib import redirect_stderr, redirect_stdout
from classroom.cli import main

small = Path(folder)
shutil.copytree(sys.argv[3], small, dirs_exist_ok=True)
os.chdir(small)
ballast = small / "ballast"
room = int(sys.argv[4]) * 1024
free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
ballast.write_bytes(b"x" * max(free - room, 0))

def run():
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            code = main(["grade", sys.argv[5], "--no-outputs"])
        except SystemExit as ended:
            code = ended.code
    return code, said.getvalue()

full = run()
whole = []
for path in (small / "class").rglob("*"):
    if path.suffix == ".ipynb" and "autograded" in path.parts:
        json.loads(path.read_bytes())
        whole.append(path.parts[-3])
parts = [str(path) for path in (small / "class").rglob("*.part")]
ballast.unlink()
again = run()
shutil.copytree(small / "class", sys.argv[6])
print(json.dumps({"full": full, "whole": whole, "parts": parts, "again": again}))
"""


def can_mount(folder: Path) -> str:
    """Why a file system of its own cannot be had here, or an empty text."""
    ended = subprocess.run(
        [sys.executable, "-c", MOUNT, str(folder), "100"], capture_output=True, text=True
    )
    return ended.stderr.strip().splitlines()[-1] if ended.returncode else ""


@pytest.mark.parametrize("room_kb", [8, 150, 260], ids=["no room", "some room", "more room"])
def test_a_class_on_a_full_disk_is_graded_when_there_is_room_again(
    tmp_path: Path, root: Path, room_kb: int
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    if reason := can_mount(place):
        pytest.skip(f"A REALLY FULL DISK IS NOT TESTED HERE: {reason}")
    small = SmallClass(tmp_path / "course", root)
    answers = {**RIGHT, "double": RIGHT["double"] + "\n# " + "x" * 5_000}
    students = [f"s{number}" for number in range(12)]
    for student in students:
        small.hand_in(student, answers)
    assert source_notebook().cells
    kept = tmp_path / "kept"
    ended = subprocess.run(
        [sys.executable, "-c", MOUNT + "import json\n" + RUN, str(place), "20000",
         str(tmp_path / "course"), str(room_kb), CHAPTER, str(kept)],
        capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    said = json.loads(ended.stdout.splitlines()[-1])
    code, text = said["full"]
    assert code == 2
    assert "Traceback" not in text
    assert "No space left" in text or "the disk is full" in text
    assert "run the same command again" in text or "run the command again" in text
    assert said["parts"] == []
    shown = {
        line.split()[0] for line in text.splitlines() if line[:1] == "s" and line[1:2].isdigit()
    }
    assert shown <= set(said["whole"])
    code, text = said["again"]
    assert code == 0, text
    again = {
        line.split()[0] for line in text.splitlines() if line[:1] == "s" and line[1:2].isdigit()
    }
    assert shown | again == set(students)
    assert shown.isdisjoint(again)
    url = f"sqlite:///{kept / 'gradebook.db'}"
    with Gradebook.open(url, "leverage_course", CHAPTER) as book:
        records = book.records(history=True)
    assert sorted(record.student for record in records) == sorted(students)
    assert {record.score for record in records} == {5}
