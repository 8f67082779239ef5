"""Keeps a student's process in: levels of isolation, and what the machine offers of them.

`namespaces` and `bubblewrap` give a process tree, a file system, a network and a user of its own;
`landlock` restricts files, TCP and signals of an ordinary process; `limits` only limits what is
used. All of them limit memory, time, processes and files.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from classroom.errors import ClassroomError
from classroom.grading.model import Limits

if sys.platform != "win32":
    import resource

    from classroom.grading import linux

LEVELS = ("namespaces", "bubblewrap", "landlock", "limits")
ISOLATED = LEVELS[:2]
"""Levels with a file system and a process tree of a submission's own."""
_LABELS = {
    "namespaces": "namespaces and Landlock: own processes, files and network",
    "bubblewrap": "bubblewrap: own processes, files and network",
    "landlock": "Landlock: own files, no network",
    "limits": "limits only: no isolation",
}
_INSTALL = {
    "namespaces": (
        "allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0, in a container another seccomp profile"
    ),
    "bubblewrap": "install bubblewrap (apt-get install bubblewrap)",
    "landlock": "use Linux 5.13 or newer with landlock among its security modules",
    "limits": "use Linux or macOS",
}
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
_PRIVATE = ("/tmp", "/work", "/dev/shm")
ALL_FILES = 2
"""All files of a submission together, in sizes of the largest that it may write."""
MOST_FILES = 20_000
ASKED = "asked"
SECONDS_TO_REPORT = 1
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
        reports.append(LevelReport(level, not reason, reason, _INSTALL[level] if reason else ""))
    return tuple(reports)


def _why_not(level: str) -> str:
    """Return why a level cannot be used, or an empty text."""
    if not hasattr(os, "fork"):
        return "this system has no fork"
    if level == "limits":
        return ""
    if sys.platform != "linux":
        return "this is no Linux"
    if level == "landlock":
        return "" if linux.landlock_abi() else "the kernel offers no Landlock"
    program = shutil.which("bwrap")
    if level == "bubblewrap" and program is None:
        return "the program bwrap is not installed"
    if level == "bubblewrap" and os.geteuid() == 0 and "setuid" in _mode(str(program)):
        return "bwrap is set-uid"
    command = [sys.executable, "-I", "-c", calling("classroom.grading.sandbox", "probe()")]
    if level == "bubblewrap":
        command = [*bubblewrap_command(), *command]
    ended = subprocess.run(
        launch_command(command), capture_output=True, timeout=30, check=False, env={"LANG": "C"}
    )
    if ended.returncode == 0:
        return ""
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"the probe ended with {ended.returncode}"


def _mode(program: str) -> str:
    return "setuid" if Path(program).stat().st_mode & 0o4000 else ""


def probe() -> None:
    """Enter new namespaces and leave again, to see whether that is possible."""
    enter_namespaces()
    _try_jail()


def _try_jail() -> None:
    child = os.fork()
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
            " to grade all the same, allow limits only"
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


def bubblewrap_command(*shown: Path) -> list[str]:
    """Return the start of a command that runs the rest of it inside bubblewrap.

    `shown` are further folders that the command may read.
    """
    program = shutil.which("bwrap") or "bwrap"
    command = [program, "--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--die-with-parent", "--cap-add", "ALL", "--tmpfs", "/", "--tmpfs", "/tmp"]
    for path in not_nested([*readable_paths(), str(package_root())]):
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind", path, path]
    command += ["--dev", "/dev", "--dir", "/work", "--bind", "/proc", "/proc"]
    for folder in map(str, shown):
        command += ["--bind", folder, folder]
    return [*command, "--chdir", "/"]


def not_nested(paths: Iterable[str]) -> list[str]:
    """Return the paths that do not lie inside another of them."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths), key=len):
        if not any(path.startswith(other.rstrip("/") + "/") for other in kept):
            kept.append(path)
    return kept


# Inside the server's fork


def enter_namespaces() -> None:
    """Leave all namespaces for new ones; with users of its own its processes are counted alone."""
    user, group = os.geteuid(), os.getegid()
    flags = linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
    linux.be_dumpable()
    linux.unshare(flags | linux.NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)


def build_jail(limits: Limits) -> None:
    """Make a root of its own that shows the interpreter, and nothing that can be changed."""
    root = "/tmp"
    sources = {path: _handle(path) for path in not_nested(readable_paths())}
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID, "size=4m,mode=755")
    for path, handle in sources.items():
        target = root + path
        if handle is None:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(path), target)
        else:
            _bind_handle(handle, target)
    for name in DEVICES:
        _make_place(f"/dev/{name}", f"{root}/dev/{name}")
        linux.bind(f"/dev/{name}", f"{root}/dev/{name}", read_only=False)
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    os.makedirs(f"{root}/proc")
    linux.bind("/proc", f"{root}/proc", read_only=False)
    quiz = os.path.join(root + str(package_root()), _MASKED)
    if os.path.exists(quiz):
        empty = f"{root}/empty"
        Path(empty).touch()
        linux.bind(empty, quiz)
    for name in ("tmp", "work", "dev/shm"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    linux.change_root(root)
    mount_private(limits)
    linux.mount("none", "/", "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)


def mount_private(limits: Limits) -> None:
    """Mount the folders that a submission may write to: one file system with one limit."""
    inside = {
        path: os.open(path, os.O_PATH | os.O_CLOEXEC)
        for path in not_nested(readable_paths())
        if any(path.startswith(folder + "/") for folder in _PRIVATE)
    }
    # A file's time of access would tell what a copy of the process has read.
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOATIME
    data = f"size={limits.file_mb * ALL_FILES * 1_000_000},mode=1777,nr_inodes={MOST_FILES}"
    shared = _PRIVATE[-1]
    linux.mount("tmpfs", shared, "tmpfs", flags, data)
    for number, folder in enumerate(_PRIVATE):
        part = f"{shared}/{number}"
        os.mkdir(part)
        os.chmod(part, 0o1777)  # noqa: S103 - as the system's own are
        linux.mount(part, folder, "", linux.MS_BIND)  # the last one hides where all of them are
    for path, handle in inside.items():
        _bind_handle(handle, path)


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


def confine(level: str, limits: Limits, files: int, folder: str, report: int) -> int | None:
    """Fork into a confined process, and return in it; this process watches over it and never returns.

    `files` is a descriptor with the submission's data files, `folder` the working folder to make
    where the level has no file system of its own; to `report` goes how the process ended. Returns what to send a signal to so that
    it reaches all other processes of this submission and nobody else; None where there is no such
    number.
    """
    isolated = level in ISOLATED
    if isolated:
        enter_namespaces()
        if level == "namespaces":
            build_jail(limits)
        else:
            mount_private(limits)
    elif sys.platform == "linux":
        linux.adopt_orphans()
    parent = os.getpid()
    child = os.fork()
    if child:
        _guard(child, report)
    os.close(report)
    linux.die_with_parent(parent)
    os.setsid()
    work = "/work" if isolated else os.path.join(folder, "work")
    temporary = "/tmp" if isolated else os.path.join(folder, "tmp")
    if isolated:
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    else:
        for made in (folder, work, temporary):
            os.mkdir(made, 0o700)
    _write_files(files, work)
    os.chdir(work)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = temporary
    apply_limits(limits, shared=not isolated)
    if isolated:
        linux.drop_capabilities()
    scoped = isolated or (level == "landlock" and linux.landlock_abi() >= 6)
    if level != "limits":
        _restrict(isolated, [work, temporary])
        linux.refuse_calls(own_signals_only=not scoped)
    else:
        with suppress(OSError):  # a container may refuse filters of its own
            linux.refuse_calls(own_signals_only=True)
    return -1 if scoped else None


def _restrict(isolated: bool, private: list[str]) -> None:
    if not linux.landlock_abi():
        return
    readable = readable_paths()
    writable = [*private, *(f"/dev/{name}" for name in DEVICES)]
    if isolated:
        readable.append("/proc")
        writable.append("/dev/shm")
    else:
        root = package_root() / "leverage"
        readable = [path for path in readable if path != str(root)]
        readable += [str(p) for p in root.rglob("*.*") if not str(p).endswith(_MASKED)]
        readable += [f"/proc/{os.getpid()}", *(f"/proc/{name}" for name in _PROC_FILES)]
    linux.restrict_files(readable, writable)


def signal_others(everybody: int | None, number: int) -> None:
    """Send a signal to what a submission left running; `everybody` is what `confine` returned."""
    if everybody is not None:
        with suppress(OSError):
            os.kill(everybody, number)


def _guard(child: int, report: int) -> None:
    """Wait for the confined process, pass on what the grader asks, and leave nothing behind.

    At the end it reports the process's status and its CPU time in seconds, or that it was asked to
    end the process.
    """
    for descriptor in range(3, 64):
        with suppress(OSError):
            if descriptor != report:
                os.close(descriptor)
    said = ""

    def forward(number: int, frame: object) -> None:
        nonlocal said
        if number == signal.SIGTERM:
            said = ASKED
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGINT if number == signal.SIGINT else signal.SIGKILL)

    signal.signal(signal.SIGINT, forward)
    signal.signal(signal.SIGTERM, forward)
    while True:
        try:
            pid, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if pid == child:
            said = (
                said or f"{os.waitstatus_to_exitcode(status)} {used.ru_utime + used.ru_stime:.1f}"
            )
            break
    with suppress(OSError):
        os.write(report, said.encode("ascii"))
    end_children()
    os._exit(0)


def ended_from_outside(report: int, limits: Limits) -> bool:
    """Tell by the guard's report whether a process was killed, and by nobody who may do so.

    A submission can look like that only by killing itself, and then it will do so again.
    """
    poll = select.poll()
    poll.register(report, select.POLLIN)
    if not poll.poll(1_000 * SECONDS_TO_REPORT):
        return False  # it still runs: it hung up
    said = os.read(report, 100).decode("ascii")
    if not said:
        return True  # the guard itself was killed
    if said == ASKED:
        return False
    code, used = said.split()
    return int(code) == -signal.SIGKILL and float(used) < 0.9 * limits.cpu_seconds


def end_children(known: Iterable[int] = ()) -> None:
    """Kill and reap every child of this process, and what these leave to it, but the known ones."""
    kept = set(known)
    for _ in range(10_000):
        children = [pid for pid in children_of(os.getpid()) if pid not in kept]
        if not children:
            return
        for pid in children:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found


def descendants(root: int) -> list[int]:
    """Return a process and everything it started that still runs."""
    found, new = [root], [root]
    while new:
        new = [child for pid in new for child in children_of(pid) if child not in found]
        found += new
    return found


def resident_mb(pid: int) -> float:
    """Return the memory of a process in megabytes, what it shares included; 0 when it has gone."""
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000
    return 0.0


def own_mb(pid: int) -> float:
    """Return the memory of a process in megabytes, what it shares counted in parts."""
    with suppress(OSError, IndexError, ValueError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
        row = next(line for line in text.splitlines() if line.startswith("Pss:"))
        return int(row.split()[1]) * 1_024 / 1_000_000
    return resident_mb(pid)


def private_mb(guard: int) -> float:
    """Return what a submission's files take of memory, in megabytes; 0 where that is not known."""
    with suppress(OSError):
        found = os.statvfs(f"/proc/{guard}/root{_PRIVATE[-1]}")
        return (found.f_blocks - found.f_bfree) * found.f_frsize / 1_000_000
    return 0.0


def folder_mb(folder: str, pids: Iterable[int]) -> float:
    """Return what the files in a folder take, and deleted ones that processes still hold open.

    What cannot be looked into counts as endless, and so does more than `MOST_FILES`.
    """
    size, count, folders = 0, 0, [folder]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            continue
        except OSError:
            return float("inf")
        count += len(entries)
        if count > MOST_FILES:
            return float("inf")
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                size += entry.stat(follow_symlinks=False).st_blocks * 512
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    info = os.stat(f"/proc/{pid}/fd/{name}")
                    size += info.st_blocks * 512 if info.st_nlink == 0 else 0
    return size / 1_000_000


def cpu_of(pids: Iterable[int]) -> float:
    """Return the CPU time of processes and of the children that they waited for, in seconds."""
    ticks = 0
    for pid in pids:
        with suppress(OSError, IndexError, ValueError):
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            ticks += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return float(ticks / os.sysconf("SC_CLK_TCK"))


def hold_back(pids: Iterable[int]) -> None:
    """Let processes run only when others need nothing."""
    for pid in pids:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                os.setpriority(os.PRIO_PROCESS, int(task), 19)
        with suppress(OSError):  # where sessions share the processor, not processes
            Path(f"/proc/{pid}/autogroup").write_text("19", encoding="ascii")


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


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait until a process has ended; False where it has not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if has_gone(pid):
            return True
        time.sleep(0.002)
    return False


def has_gone(pid: int) -> bool:
    """Tell whether a process has ended, also where nobody has taken note of it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] in "ZX"
