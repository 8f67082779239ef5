"""`make history`: pinned archives only, single members only, the same bytes each time."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from classroom.errors import ClassroomError
from classroom.upkeep import history as build
from leverage import history
from leverage.history import candle_files

MEMBER = "package-1.0/data/prices.csv"
TEXT = "Close Time,Open,High,Low,Close,Volume\n2024-01-01 00:59:59.999,100,110,90,105,5\n"


def archive(**members: str) -> bytes:
    """Make a source archive; the build script inside would fail the test if it ran."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in {"package-1.0/setup.py": "raise SystemExit('ran')", **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_one_member_is_read_after_both_checksums_agree() -> None:
    whole = archive(**{MEMBER: TEXT})
    assert build.read_member(whole, sha256(whole), MEMBER, sha256(TEXT.encode())) == TEXT


def test_an_archive_that_is_not_the_pinned_one_is_not_even_opened() -> None:
    with pytest.raises(ClassroomError, match="the archive must have the SHA-256 0000, had "):
        build.read_member(b"no archive at all", "0000", MEMBER, "0000")


def test_a_member_that_is_not_the_pinned_one_is_not_used() -> None:
    whole = archive(**{MEMBER: TEXT})
    with pytest.raises(ClassroomError, match=r"prices.csv must have the SHA-256 0000, had "):
        build.read_member(whole, sha256(whole), MEMBER, "0000")


def test_a_missing_member_is_named() -> None:
    whole = archive()
    with pytest.raises(ClassroomError, match=f"has no member {MEMBER}"):
        build.read_member(whole, sha256(whole), MEMBER, "0000")


def test_an_archive_in_the_folder_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "fetch", lambda *_: pytest.fail("must not fetch"))
    (tmp_path / "package-1.0.tar.gz").write_bytes(b"kept")
    pin = {"package": "package", "version": "1.0", "archive_sha256": "0000"}
    assert build.archive_of(pin, tmp_path) == b"kept"


def test_a_fetched_archive_is_kept_only_if_it_is_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "fetch", lambda *_: b"fetched")
    pin = {"package": "package", "version": "1.0", "archive_sha256": sha256(b"fetched")}
    assert build.archive_of(pin, tmp_path) == b"fetched"
    assert (tmp_path / "package-1.0.tar.gz").read_bytes() == b"fetched"
    with pytest.raises(ClassroomError, match="must have the SHA-256 0000"):
        build.archive_of({**pin, "version": "2.0", "archive_sha256": "0000"}, tmp_path)
    assert not (tmp_path / "package-2.0.tar.gz").exists()


def test_a_wrong_archive_stops_the_build_and_leaves_the_bundle_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "BUNDLE", tmp_path / "bundle")
    monkeypatch.setenv("LEVERAGE_HISTORY", str(tmp_path / "cache"))
    for pin in history.source_pins().values():
        (tmp_path / f"{pin['package']}-{pin['version']}.tar.gz").write_bytes(b"something else")
    assert build.main(["--archives", str(tmp_path)]) == 2
    assert "it is not the pinned file" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "cache").exists()


def bundled_hours(symbol: str) -> candle_files.Candles:
    """Give the bundled crash hours as if they were a whole source."""
    windows = [window for window in history.crash_windows() if symbol in window.symbols]
    rows = [history.load_hourly_window(window.date, symbol) for window in windows]
    return candle_files.Candles(build.pd.concat(rows), {"missing hours": 0})


def test_the_crash_hours_are_written_to_the_same_bytes_as_the_committed_ones() -> None:
    candles = {symbol: [bundled_hours(symbol)] for symbol in history.SYMBOLS}
    made = build.bundle_files(candles)
    for symbol in history.SYMBOLS:
        name = f"hourly_{symbol}.csv"
        assert made[name].encode() == (build.BUNDLE / name).read_bytes()


def test_every_generated_file_of_the_bundle_is_committed_and_no_other() -> None:
    candles = {symbol: [bundled_hours(symbol)] for symbol in history.SYMBOLS}
    written_by_hand = {"crashes.csv", "points_2025-10-10.csv", "sources.toml"}
    committed = {path.name for path in build.BUNDLE.iterdir()}
    assert committed == set(build.bundle_files(candles)) | written_by_hand


def test_a_written_file_says_whether_it_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("a\n", "a\n", "b\n"):
        build._write_file(tmp_path / "folder" / "file.csv", text)
    said = [line.split(", ")[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["written", "unchanged", "written"]


def run_fetch(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Fetch a package from a folder through pip, in an interpreter of its own."""
    code = (
        "import hashlib, sys; from classroom.upkeep import history as build\n"
        "from classroom.errors import ClassroomError\n"
        f"try: print(hashlib.sha256(build.fetch('package', {version!r})).hexdigest())\n"
        "except ClassroomError as error: sys.exit(str(error))"
    )
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        check=False,
    )


def test_pip_fetches_the_archive_and_runs_nothing_of_it(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    script = f"open({str(trace)!r}, 'w')"
    whole = archive(**{"package-1.0/setup.py": script, MEMBER: TEXT})
    (tmp_path / "package-1.0.tar.gz").write_bytes(whole)
    run = run_fetch(tmp_path, "1.0")
    assert run.stdout.strip() == sha256(whole), run.stderr
    assert not trace.exists()


def test_a_release_that_is_not_there_is_named(tmp_path: Path) -> None:
    run = run_fetch(tmp_path, "1.0")
    assert run.returncode == 1
    assert "package 1.0 was not found; is the package index reachable?" in run.stderr
