"""Keeps a student's process in: levels of isolation, and what the machine offers of them.

`namespaces`: a process tree, a file system, a network and a user of its own. It is what a Linux
computer of one's own offers, and a virtual machine.
`landlock`: an ordinary process that reaches its own files only, no network, and signals nobody
else. It is what remains where user namespaces are forbidden: Ubuntu 24.04, most containers.
`limits`: no isolation; for kernels before 5.13, and only where that is asked for.
All of them limit memory, time, processes and files, and refuse system calls that no notebook needs.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from classroom.errors import ClassroomError
from classroom.grading.model import Limits
from classroom.grading.processes import MOST_FILES

if sys.platform != "win32":
    import resource

    from classroom.grading import linux
    from classroom.grading.keeper import LIVE, Keeper

LEVELS = ("namespaces", "landlock", "limits")
_LABELS = {
    "namespaces": "namespaces and Landlock: own processes, files and network",
    "landlock": "Landlock: own files, no network",
    "limits": "limits only: no isolation",
}
_INSTALL = {
    "namespaces": (
        "allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0, in a container another seccomp profile"
    ),
    "landlock": "use Linux 5.13 or newer with landlock among its security modules",
    "limits": "use Linux",
}
_NO_LINUX = (
    "grading needs Linux: run it in Docker (the Dockerfile of the course has a stage for it), in WSL 2 "
    "or in a virtual machine"
)
_ETC = (
    "ld.so.cache",
    "localtime",
    "alternatives",
    "fonts",
    "mime.types",
    "ssl/certs",
    "nsswitch.conf",
)
DEVICES = ("null", "zero", "full", "random", "urandom")
BOX = "/box"
"""The submission's folder where it has a file system of its own."""
_PARTS = ("work", "tmp", "shm")
"""The folders inside `live`."""
ALL_FILES = 2
"""All files of a submission together, in sizes of the largest that it may write."""
TOGETHER = 16
"""Submissions under way for which a user's limit of processes has room."""
_MASKED = "leverage/lessons/data/quizzes.json"
_PROC_FILES = ("meminfo", "cpuinfo", "stat", "uptime", "loadavg", "filesystems", "version", "sys")


@dataclass(frozen=True)
class LevelReport:
    """Whether the machine offers a level, why not, and what to do about it."""

    level: str
    available: bool
    reason: str
    install: str


def level_label(level: str) -> str:
    """Return a level in words.

    >>> level_label("limits")
    'limits only: no isolation'
    """
    return _LABELS[level]


@cache
def available_levels() -> tuple[LevelReport, ...]:
    """Try each level on this machine; takes about a quarter of a second, once."""
    reports = []
    for level in LEVELS:
        reason = _why_not(level)
        advice = _INSTALL[level] if sys.platform == "linux" else _NO_LINUX
        reports.append(LevelReport(level, not reason, reason, advice if reason else ""))
    return tuple(reports)


def _why_not(level: str) -> str:
    """Return why a level cannot be used, or an empty text."""
    if sys.platform != "linux":
        return "this is no Linux"
    if level == "limits":
        return ""
    if level == "landlock":
        return "" if linux.landlock_abi() else "the kernel offers no Landlock"
    command = [sys.executable, "-I", "-c", calling("classroom.grading.sandbox", "probe()")]
    ended = subprocess.run(
        launch_command(command), capture_output=True, timeout=30, check=False, env={"LANG": "C"}
    )
    if ended.returncode == 0:
        return ""
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"the probe ended with {ended.returncode}"


def probe() -> None:
    """Enter new namespaces and leave again, to see whether that is possible."""
    child = fork_into_namespaces()
    if child == 0:
        code = 1
        with suppress(OSError):
            linux.mount("proc", "/proc", "proc")
            linux.mount("tmpfs", "/tmp", "tmpfs")
            code = 0
        os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("mounting in a namespace is refused")


def choose_level(wanted: str | None = None, *, allow_limits_only: bool = False) -> str:
    """Return the level to use: the one asked for, or the best that the machine offers.

    Raises
    ------
    ClassroomError
        If the level is not available, or if only `limits` is and that was not allowed.
    """
    if wanted is not None and wanted not in LEVELS:
        raise ClassroomError(
            f"there is no sandbox level {wanted!r}; levels are {', '.join(LEVELS)}"
        )
    reports = {report.level: report for report in available_levels()}
    if wanted is None:
        wanted = next((level for level in LEVELS if reports[level].available), "limits")
    report = reports[wanted]
    if not report.available:
        raise ClassroomError(
            f"the sandbox level {wanted!r} is not available: {report.reason}; {report.install}"
        )
    if wanted == "limits" and not allow_limits_only:
        reasons = "; ".join(f"{r.level}: {r.reason}" for r in reports.values() if r.reason)
        raise ClassroomError(
            "this machine offers no isolation, so students' code could read and change your files"
            f" ({reasons or 'limits were asked for'}). 'classroom doctor' says what to install;"
            " to grade all the same, say '--allow-limits-only'"
        )
    return wanted


# Starting the server


def package_root() -> Path:
    """Return the folder that holds the package `classroom`."""
    return Path(__file__).resolve().parents[2]


def calling(module: str, call: str) -> str:
    """Return a program that calls a function of this package, wherever the package lies."""
    name = call.partition("(")[0]
    path = str(package_root())
    return f"import sys; sys.path.insert(0, {path!r}); from {module} import {name}; {call}"


def interpreter_paths() -> list[str]:
    """Return the folders that a Python program of this environment reads.

    What the caller added to `sys.path` is left out: the server never has it, and it may be a
    folder that comes and goes, such as the one that a worker of Dask adds.
    """
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = {os.path.realpath(path) for path in prefixes}
    found |= prefixes | {os.path.dirname(os.path.realpath(sys.executable))}
    found.add(str(package_root()))
    return sorted(path for path in found if path != "/" and os.path.isdir(path))


def readable_paths() -> list[str]:
    """Return what a student's process may read: the system's programs, Python, and `leverage`."""
    root = str(package_root())
    paths = ["/usr", "/bin", "/lib", "/lib64", "/lib32", "/sbin"]
    paths += [f"/etc/{name}" for name in _ETC]
    paths += [path for path in interpreter_paths() if not Path(root).is_relative_to(path)]
    paths.append(os.path.join(root, "leverage"))
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def launch_command(command: list[str]) -> list[str]:
    """Return the command that runs another one as an unprivileged user, where we are root."""
    if os.geteuid() != 0:
        return command
    launch = calling("classroom.grading.launch", "launch(sys.argv[1:])")
    paths = not_nested(interpreter_paths())
    return [sys.executable, "-I", "-S", "-c", launch, *paths, "--", *command]


def not_nested(paths: Iterable[str]) -> list[str]:
    """Return the paths that do not lie inside another of them."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths), key=len):
        if not any(path.startswith(other.rstrip("/") + "/") for other in kept):
            kept.append(path)
    return kept


# Inside the server's fork


def fork_into_namespaces() -> int:
    """Fork the first process of new namespaces; return as `os.fork` does.

    With users of its own its processes are counted alone.
    """
    user, group = os.geteuid(), os.getegid()
    flags = linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
    linux.be_dumpable()
    child = linux.clone(flags | linux.NEWUSER)
    if child:
        return child
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    return 0


def build_jail(limits: Limits) -> None:
    """Make a root of its own that shows the interpreter, and one folder that can be changed."""
    root = "/tmp"
    sources = {path: _handle(path) for path in not_nested(readable_paths())}
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID, "size=4m,mode=755")
    hidden: dict[str, str] = {}
    for number, (path, handle) in enumerate(sources.items()):
        target = root + path
        if handle is None:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(path), target)
        elif path.startswith("/tmp/"):
            hidden[path] = f"/shown/{number}"
            _bind_handle(handle, root + hidden[path])
        else:
            _bind_handle(handle, target)
    for name in DEVICES:
        _make_place(f"/dev/{name}", f"{root}/dev/{name}")
        linux.bind(f"/dev/{name}", f"{root}/dev/{name}", read_only=False)
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    os.makedirs(f"{root}/proc")
    linux.bind("/proc", f"{root}/proc", read_only=False)
    quiz = os.path.join(str(package_root()), _MASKED)
    for path, shown in hidden.items():
        quiz = quiz.replace(path + "/", shown + "/", 1) if quiz.startswith(path + "/") else quiz
    quiz = root + quiz
    if os.path.exists(quiz):
        empty = f"{root}/empty"
        Path(empty).touch()
        linux.bind(empty, quiz)
    for name, part in (("tmp", "tmp"), ("dev/shm", "shm")):
        os.symlink(f"{BOX}/{LIVE}/{part}", f"{root}/{name}")
    os.makedirs(root + BOX)
    linux.change_root(root)
    size_box(limits, 1, again=False)
    linux.mount("none", "/", "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
    for path, shown in hidden.items():  # what lies below the system's own folder for such files
        place = f"{BOX}/{LIVE}{path}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.symlink(shown, place)


def size_box(limits: Limits, times: int, *, again: bool = True) -> None:
    """Mount the submission's folder, or mount it anew with room for several times its files."""
    room = (limits.file_mb * ALL_FILES + 1) * times - 1  # a duplicate is never too large
    data = f"size={room}000000,nr_inodes={(MOST_FILES + 99) * times - 99}"
    flags = linux.MS_NOSUID | linux.MS_NODEV | (linux.MS_REMOUNT if again else 0)
    linux.mount("tmpfs", BOX, "tmpfs", flags, data)


def _handle(path: str) -> int | None:
    """Open a path to bind it later; None for a link, which is made anew."""
    return None if os.path.islink(path) else os.open(path, os.O_PATH | os.O_CLOEXEC)


def _bind_handle(handle: int, target: str) -> None:
    source = f"/proc/self/fd/{handle}"
    _make_place(source, target)
    linux.bind(source, target)
    os.close(handle)


def _make_place(path: str, target: str) -> None:
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()


def fork_submission(level: str) -> int:
    """Fork the process that will keep a submission; return as `os.fork` does."""
    return fork_into_namespaces() if level == "namespaces" else os.fork()


def confine(level: str, limits: Limits, files: int, folder: str, judge: int) -> str:
    """Fork into a confined process, and return in it the submission's folder.

    This process, a fork of `fork_submission`, keeps it and never returns. `files` is a descriptor
    with the submission's data files, `folder` the folder to make where the level has no file system
    of its own, `judge` the keeper's connection.
    """
    isolated = level == "namespaces"
    if isolated:
        build_jail(limits)
        folder = BOX
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    else:
        linux.adopt_orphans()
        os.mkdir(folder, 0o700)
    for part in _PARTS:
        os.makedirs(os.path.join(folder, LIVE, part), 0o700, exist_ok=True)
    work, temporary = (os.path.join(folder, LIVE, part) for part in ("work", "tmp"))
    _write_files(files, work)
    parent = os.getpid()
    asks, asked = socket.socketpair()
    child = os.fork()
    if child:
        _close_all_but(judge, asked.fileno())
        make_room = partial(size_box, limits) if isolated else lambda times: None
        listeners = socket.recv_fds(asked, 1, 1)[1]
        Keeper(child, socket.socket(fileno=judge), Path(folder), make_room, listeners).loop()
    os.close(judge)
    asked.close()
    linux.die_with_parent(parent)
    os.setsid()
    os.chdir(work)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = temporary
    apply_limits(limits, shared=not isolated)
    if isolated:
        linux.drop_capabilities()
    if level != "limits":
        _restrict(isolated, folder)
    listener = None
    try:
        asking = level == "limits" or linux.landlock_abi() < 6
        listener = linux.refuse_calls(ask_about_signals=asking)
    except OSError:  # a container may refuse filters of its own
        if level != "limits":
            raise
    if listener is not None:  # for the keeper alone
        socket.send_fds(asks, [b"."], [listener])
        os.close(listener)
    asks.close()
    return folder


def _close_all_but(*kept: int) -> None:
    for first, last in zip((2, *sorted(kept)), (*sorted(kept), 4_096), strict=True):
        os.closerange(first + 1, last)


def _restrict(isolated: bool, folder: str) -> None:
    if not linux.landlock_abi():
        return
    readable = readable_paths()
    if isolated:
        readable.append("/proc")
    else:
        root = package_root() / "leverage"
        readable = [path for path in readable if path != str(root)]
        readable += [str(p) for p in root.rglob("*.*") if not str(p).endswith(_MASKED)]
        readable += [f"/proc/{os.getpid()}", *(f"/proc/{name}" for name in _PROC_FILES)]
    linux.restrict_files(readable, [folder, *(f"/dev/{name}" for name in DEVICES)])


def _write_files(descriptor: int, folder: str) -> None:
    """Write the data files that a descriptor holds as lines of JSON."""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        for line in file:
            name, content = json.loads(line)
            path = Path(folder) / name
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(base64.b64decode(content))


def apply_limits(limits: Limits, *, shared: bool) -> None:
    """Set what this process may use.

    Where submissions share a user, the system counts their processes together; there is room for
    several then, and the grader ends the one that has too many.
    """
    limit_memory_and_time(limits)
    values = {
        resource.RLIMIT_FSIZE: limits.file_mb * 1_000_000,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: _processes_now() + limits.processes * (TOGETHER if shared else 1),
        resource.RLIMIT_CORE: 0,
    }
    _set_limits(values)


def limit_memory_and_time(limits: Limits) -> None:
    """Set what memory this process may add, and its CPU time."""
    used = 0
    with suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _set_limits(
        {
            resource.RLIMIT_AS: used + limits.memory_mb * 1_000_000,
            resource.RLIMIT_CPU: limits.cpu_seconds,
        }
    )


def _set_limits(values: Mapping[int, int]) -> None:
    for name, value in values.items():
        _, hard = resource.getrlimit(name)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(name, (value, value))


def _processes_now() -> int:
    """Count the processes and threads of this user, which the limit counts too."""
    count, user = 0, os.getuid()
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError):
                    if os.stat(f"/proc/{name}").st_uid == user:
                        count += len(os.listdir(f"/proc/{name}/task"))
    return count
