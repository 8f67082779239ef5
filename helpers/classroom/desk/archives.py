"""Reads an archive, or a folder, that somebody else made: all of its files, or one sentence.

Nothing is ever unpacked by the name that an archive gives: contents are read within limits, and
whoever calls decides where they go.
"""

from __future__ import annotations

import io
import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from classroom.errors import ClassroomError

MOST_FILES = 5_000
LARGEST_FILE = 50_000_000
"""Bytes of one file; the grader reads no more of a submission either."""
LARGEST_ARCHIVE = 2_000_000_000
"""Bytes of all files of an archive, unpacked."""
MOST_PACKED = 200
"""Times that a large file may be smaller in its archive; a notebook reaches 20."""
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Time of every file in an archive of ours."""
FIRST_TIME = 1981
"""Year before which an archive has no time: 1980 is what zip files hold for *unknown*."""
LEFT_BY_SYSTEMS = frozenset(
    ["__MACOSX", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints", "__pycache__"]
)


@dataclass(frozen=True)
class ArchivedFile:
    """One file of an archive or a folder."""

    name: str
    """Its path inside, with `/`, in Unicode's composed form."""
    size: int
    """In bytes."""
    time: datetime | None
    """When it was last changed, in UTC; None where the archive does not say."""
    read: Callable[[], bytes]
    """Returns the content; raises `ClassroomError` where that is broken."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders and the name."""
        return PurePosixPath(self.name).parts


@contextmanager
def open_archive(path: Path) -> Iterator[list[ArchivedFile]]:
    """Yield the files of a zip archive or of a folder, in order of their names.

    Raises
    ------
    ClassroomError
        If it is neither, or holds what no honest archive holds: paths that lead out of it, links,
        files that are hundreds of times larger than they look, too many files.
    """
    if path.is_dir():
        yield list(_of_folder(path))
        return
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ClassroomError(f"there is no file or folder {path}") from None
    with file, opened(file, path.name) as found:
        yield found


@contextmanager
def opened(file: BinaryIO, name: str) -> Iterator[list[ArchivedFile]]:
    """Yield the files of a zip archive that is open already; `name` is for sentences."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
        raise ClassroomError(
            f"{name} is not a zip archive that can be read ({error}); download it again, or unpack "
            "it and give the folder"
        ) from None
    with archive:
        yield sorted(_of_zip(archive, name), key=lambda one: one.name)


def inside(content: bytes, name: str) -> list[tuple[str, bytes]]:
    """Return name and content of the files in a zip archive that a student handed in.

    Raises
    ------
    ClassroomError
        As `open_archive` does; and if all of it is larger than one file may be.
    """
    with opened(io.BytesIO(content), name) as files:
        if sum(file.size for file in files) > LARGEST_FILE:
            raise ClassroomError(f"{name} is too large when it is unpacked")
        return [(file.name, file.read()) for file in files]


def _of_zip(archive: zipfile.ZipFile, name: str) -> Iterator[ArchivedFile]:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise ClassroomError(
            f"{name} holds {len(entries)} files, more than {MOST_FILES}; nothing was taken. "
            "Download one group at a time, or unpack it and give a folder"
        )
    total = 0
    for entry in entries:
        shown = _name_of(entry)
        if reason := _why_refused(entry, shown):
            raise ClassroomError(
                f"{name} is refused: {reason} ({shown[:80]!r}); nothing was taken. An archive of "
                "a learning platform never holds that"
            )
        total += entry.file_size
        if not entry.is_dir() and not _of_system(shown):
            yield ArchivedFile(
                unicodedata.normalize("NFC", shown), entry.file_size, _time_of(entry),
                partial(_content, archive, entry),
            )  # fmt: skip
    if total > LARGEST_ARCHIVE:
        raise ClassroomError(
            f"{name} is refused: it holds {total // 1_000_000} MB when it is unpacked, more than "
            f"{LARGEST_ARCHIVE // 1_000_000}; nothing was taken"
        )


def _name_of(entry: zipfile.ZipInfo) -> str:
    """Return a file's name; older programs write UTF-8 and do not say so."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name


def _why_refused(entry: zipfile.ZipInfo, name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    mode = entry.external_attr >> 16
    if ".." in path.parts:
        return "a path leads out of it"
    if path.is_absolute() or name[1:2] == ":" or "\0" in entry.orig_filename:
        return "a path is absolute"
    if not path.parts:
        return "a file has no name"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it holds a link or a device"
    if entry.flag_bits & 0x1:
        return "it is locked with a password"
    if entry.file_size > LARGEST_FILE and entry.file_size > MOST_PACKED * entry.compress_size:
        return f"a file of {entry.file_size // 1_000_000} MB looks hundreds of times smaller"
    return ""


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > LARGEST_FILE:
        raise ClassroomError(f"too large ({entry.file_size // 1_000_000} MB)")
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise ClassroomError(f"damaged in its archive ({error})") from None


def _time_of(entry: zipfile.ZipInfo) -> datetime | None:
    """Return the time of a file in UTC; a zip archive holds the local time of its maker."""
    try:
        moment = datetime(*entry.date_time)
    except ValueError:
        return None
    if moment.year < FIRST_TIME:
        return None
    return moment.astimezone().astimezone(UTC).replace(tzinfo=None)


def _of_system(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[-1].startswith(".") or any(part in LEFT_BY_SYSTEMS for part in parts)


def _of_folder(folder: Path) -> Iterator[ArchivedFile]:
    found = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            inner = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise ClassroomError(
                    f"{folder} is refused: it holds a link ({inner[:80]!r}); nothing was taken. "
                    "Replace it by a copy of the file"
                )
            if name in folders or not path.is_file() or _of_system(inner):
                continue
            found += 1
            if found > MOST_FILES:
                raise ClassroomError(
                    f"{folder} holds more than {MOST_FILES} files; nothing was taken. Give the "
                    "folder that holds the hand-ins and nothing else"
                )
            info = path.stat()
            changed = datetime.fromtimestamp(info.st_mtime, UTC).replace(tzinfo=None, microsecond=0)
            yield ArchivedFile(
                unicodedata.normalize("NFC", inner), info.st_size, changed,
                partial(_file_content, path, info.st_size),
            )  # fmt: skip


def _file_content(path: Path, size: int) -> bytes:
    if size > LARGEST_FILE:
        raise ClassroomError(f"too large ({size // 1_000_000} MB)")
    return path.read_bytes()


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive, the same for the same files; what opens with `#!` can be run."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, FIXED_TIME)
            mode = 0o755 if content.startswith(b"#!") else 0o644
            info.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()
