"""The few Linux system calls that Python does not offer, by ctypes."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

NEWNS, NEWUTS, NEWIPC = 0x0002_0000, 0x0400_0000, 0x0800_0000
NEWUSER, NEWPID, NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000
SIBLING = 0x8000
"""The new process is a child of this one's parent."""
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 36, 38, 24
_SIGKILL = 9
_CAPABILITY_VERSION = 0x2008_0522

_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine(), 0)

# A filter of system calls that asks, linux/seccomp.h
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine(), 0)
_NEW_LISTENER, _NOTICE_SIZE = 8, 80
_NEXT_NOTICE, _ANSWER_NOTICE = 0xC050_2100, 0xC018_2101

# Landlock, linux/landlock.h
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_EXECUTE, _READ_FILE, _READ_DIR, _IOCTL = 1 << 0, 1 << 2, 1 << 3, 1 << 15
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
READ = _EXECUTE | _READ_FILE | _READ_DIR

# System calls by machine; the numbers from 424 on are the same everywhere.
_CALLS = {
    "x86_64": {
        "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "bind": 49,
        "socketpair": 53, "clone": 56, "kill": 62, "semget": 64, "semop": 65, "semctl": 66,
        "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "ptrace": 101,
        "rt_sigqueueinfo": 129, "setpriority": 141, "sched_setparam": 142,
        "sched_setscheduler": 144, "pivot_root": 155, "chroot": 161, "mount": 165,
        "umount2": 166, "init_module": 175, "tkill": 200, "sched_setaffinity": 203,
        "semtimedop": 220, "tgkill": 234, "mq_open": 240, "mq_unlink": 241, "kexec_load":
        246, "add_key": 248, "request_key": 249, "keyctl": 250, "ioprio_set": 251,
        "inotify_init": 253, "migrate_pages": 256, "unshare": 272, "move_pages": 279,
        "inotify_init1": 294, "rt_tgsigqueueinfo": 297, "perf_event_open": 298,
        "fanotify_init": 300, "prlimit": 302, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "sched_setattr": 314, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "inotify_init1": 26, "ioprio_set": 30, "umount2": 39, "mount": 40, "pivot_root": 41,
        "chroot": 51, "unshare": 97, "kexec_load": 104, "init_module": 105, "ptrace": 117,
        "sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122, "kill":
        129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "setpriority": 140,
        "mq_open": 180, "mq_unlink": 181, "msgget": 186, "msgctl": 187, "msgrcv": 188,
        "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192, "semop": 193,
        "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198, "socketpair": 199,
        "bind": 200, "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219,
        "clone": 220, "migrate_pages": 238, "move_pages": 239, "rt_tgsigqueueinfo": 240,
        "perf_event_open": 241, "prlimit": 261, "fanotify_init": 262, "open_by_handle_at":
        265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "finit_module": 273, "sched_setattr": 274, "memfd_create": 279, "bpf": 280,
        "userfaultfd": 282,
    },
}  # fmt: skip
_NEWER = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd":
    438, "process_madvise": 440, "mount_setattr": 442, "memfd_secret": 447, "process_mrelease":
    448,
}  # fmt: skip
# What a notebook never needs: the network, others' processes, mounts, memory that nobody counts,
# and notice of what a copy of the process does.
_REFUSED = [
    "socket",
    "connect",
    "bind",
    "ptrace",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "open_by_handle_at",
    "io_uring_setup",
    "kexec_load",
    "init_module",
    "finit_module",
    "memfd_create",
    "memfd_secret",
    "shmget",
    "shmat",
    "shmctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "semget",
    "semop",
    "semctl",
    "semtimedop",
    "mq_open",
    "mq_unlink",
    "ioprio_set",
    "migrate_pages",
    "move_pages",
    "pidfd_getfd",
    "process_madvise",
    "process_mrelease",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "inotify_init",
    "inotify_init1",
    "fanotify_init",
]
_SIGNALS = ["kill", "tkill", "tgkill"]
_RARE_SIGNALS = ["rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"]
_NEW_NAMESPACES = NEWNS | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | 0x0200_0000
_AUDIT_ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

# PROCMAP_QUERY, linux/fs.h: the memory at an address or the next, writable and shared
_MAP_QUERY_SIZE, _MAP_QUERY = 104, 2 | 8 | 16
_MAP_QUERY_CALL = 3 << 30 | _MAP_QUERY_SIZE << 16 | ord("f") << 8 | 17

_ANY_SHARED = re.compile(rb" .w.s ")
_SHARED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) .w.s ", re.MULTILINE)

# References of our own: some are used after a student's code has run.
_open, _ioctl, _pack, _unpack_from = open, fcntl.ioctl, struct.pack, struct.unpack_from

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)  # holds Python's lock, as a fork must


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def clone(flags: int) -> int:
    """Fork with flags such as `SIBLING` or those of new namespaces; return as `os.fork` does.

    Only for a process with a single thread: the C library is not told.
    """
    _python.PyOS_BeforeFork()
    pid = int(_python.syscall(_CLONE, flags | 17, 0, 0, 0, 0))  # SIGCHLD
    if pid == 0:
        _python.PyOS_AfterFork_Child()
    else:
        _python.PyOS_AfterFork_Parent()
    return _check(pid, "clone")


def unshare(flags: int) -> None:
    """Leave the namespaces named by the flags for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount a file system."""
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        f"mount {target}",
    )


def bind(source: str, target: str, *, read_only: bool = True) -> None:
    """Show a file or folder at another place."""
    mount(source, target, "", MS_BIND | MS_REC)
    if read_only:
        flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID
        try:
            mount("none", target, "", flags | MS_NODEV)
        except OSError:
            # Flags that the original mount has must not be taken away.
            kept = os.statvfs(target).f_flag & (MS_NODEV | MS_NOSUID | 8 | 1024 | 2048 | 4096)
            relatime = (1 << 21) if kept & 4096 else 0
            noatime = kept & 1024
            mount("none", target, "", flags | (kept & 14) | noatime | relatime)


def change_root(root: str) -> None:
    """Make a folder the root, and let go of the old one."""
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")


def _prctl(option: int, value: int, third: object = 0) -> int:
    return int(_libc.prctl(option, ctypes.c_ulong(value), third, 0, 0))


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, also when that is killed."""
    _check(_prctl(_PR_SET_PDEATHSIG, _SIGKILL), "prctl")
    if os.getppid() not in (parent, 0):
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind."""
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def be_dumpable() -> None:
    """Own one's files under /proc again after a change of user."""
    _check(_prctl(_PR_SET_DUMPABLE, 1), "prctl")


def no_new_privileges() -> None:
    """Give up ever gaining rights, by set-uid programs for example."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl")


def drop_capabilities() -> None:
    """Give up every capability."""
    for capability in range(64):
        if _prctl(_PR_CAPBSET_DROP, capability) < 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel offers; 0 where there is none."""
    return max(int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)), 0)


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Let this process reach these files only, and no network, by Landlock."""
    abi = landlock_abi()
    handled = (1 << _FS_BY_ABI.get(abi, 16)) - 1
    attributes = _pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(_libc.syscall(_LANDLOCK_CREATE, attributes, size, 0), "landlock")
    try:
        for paths, rights in ((readable, READ), (writable, handled)):
            for path in paths:
                _allow(ruleset, path, rights & handled)
        no_new_privileges()
        _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = _pack("=Qi", rights, descriptor)
        _check(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock {path}")
    finally:
        os.close(descriptor)


def shared_memory() -> list[tuple[int, int]]:
    """Return where this process has memory that its forks share and may write."""
    with _open("/proc/self/maps", "rb", buffering=0) as file:
        try:
            return list(_asked_for_shared(file.fileno()))
        except OSError:  # a kernel before 6.11
            text = file.read()
    rows = _SHARED.findall(text) if _ANY_SHARED.search(text) else []
    return [(int(first, 16), int(last, 16)) for first, last in rows]


def _asked_for_shared(maps: int) -> Iterator[tuple[int, int]]:
    """Yield where shared memory is; the kernel looks for it, instead of writing out all there is."""
    address = 0
    while True:
        question = bytearray(_pack("QQQ", _MAP_QUERY_SIZE, _MAP_QUERY, address))
        question += bytes(_MAP_QUERY_SIZE - len(question))
        try:
            _ioctl(maps, _MAP_QUERY_CALL, question)
        except FileNotFoundError:  # no more
            return
        first, address = _unpack_from("QQ", question, 24)
        yield first, address


def own_memory(places: list[tuple[int, int]]) -> None:
    """Replace shared memory by a copy of one's own."""
    _libc.mmap.restype = ctypes.c_void_p
    _libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    for first, last in places:
        size = last - first
        content = ctypes.string_at(first, size) if size <= 50_000_000 else b""
        # readable and writable; private, at this place, of no file
        _libc.mmap(first, size, 3, 0x02 | 0x10 | 0x20, -1, 0)
        ctypes.memmove(first, content, len(content))


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_calls(*, ask_about_signals: bool = False) -> int | None:
    """Refuse system calls that a notebook never needs, where they are known.

    Among them are sockets, memory that no limit counts, and limits and priorities of other
    processes. With `ask_about_signals` a signal to any but the own group waits for
    `answer_signal` at the descriptor that is returned; a kernel before 5.0 has none, and refuses.
    """
    if _calls() is None:
        return None
    if ask_about_signals:
        with suppress(OSError):
            return _install(_refusing_calls(_ASK), _NEW_LISTENER)
        _install(_refusing_calls(_REFUSE))
        return None
    _install(_refusing_calls())
    return None


def answer_signal(listener: int, problem: Callable[[int], int]) -> None:
    """Let a signal that waits go to a process, or to the group that it leads, or refuse it.

    `problem` gives the number of the error, or 0 where it may go.
    """
    notice = bytearray(_NOTICE_SIZE)
    fcntl.ioctl(listener, _NEXT_NOTICE, notice)
    number, target = _unpack_from("Q24xi", notice)
    error = problem(abs(target))
    try:
        fcntl.ioctl(listener, _ANSWER_NOTICE, _pack("QqiI", number, 0, -error, not error))
    except OSError:  # a kernel before 5.5 cannot go on
        fcntl.ioctl(listener, _ANSWER_NOTICE, _pack("QqiI", number, 0, -errno.EPERM, 0))


@cache
def _refusing_calls(signals: _Row | None = None) -> bytes:
    """Return the filter of `refuse_calls`, with what to do about signals to others."""
    calls = _calls() or {}
    rules = [_refusing(calls[name]) for name in _REFUSED if name in calls]
    rules += [
        _refusing(calls["clone3"], 38),  # "no such call": clone, which can be looked at, is taken
        _wanting(calls["clone"], 0, (0x54, 0, 0, _NEW_NAMESPACES)),
        _refusing_pairs(calls["socketpair"]),
    ]
    # only of this process itself, which is number 0
    for name in ("prlimit", "sched_setaffinity", "sched_setscheduler", "sched_setparam",
                 "sched_setattr"):  # fmt: skip
        rules.append(_wanting(calls[name], 0))
    rules += [_wanting(calls["setpriority"], number, last=number == 1) for number in (0, 1)]
    if signals:
        rules += [_wanting(calls[name], 0, otherwise=signals) for name in _SIGNALS]
        rules += [_refusing(calls[name]) for name in _RARE_SIGNALS]
    return _program(rules)


def refuse_namespaces() -> None:
    """Refuse user namespaces to this process and its children, as AppArmor does on Ubuntu 24.04."""
    calls = _calls()
    if calls is None:
        raise OSError(f"the system calls of {platform.machine()} are not known here")
    own_users = (0x54, 0, 0, NEWUSER)
    rules = [_wanting(calls[name], 0, own_users) for name in ("clone", "unshare")]
    _install(_program([_refusing(calls["clone3"], 38), *rules]))


def prepare_filters() -> None:
    """Make the filters before processes are forked, so that each finds them made."""
    for signals in (None, _ASK) if _calls() else ():
        _refusing_calls(signals)


_Row = tuple[int, int, int, int]
_ALLOW: _Row = (0x06, 0, 0, 0x7FFF_0000)
_REFUSE: _Row = (0x06, 0, 0, 0x0005_0000 | 13)
_ASK: _Row = (0x06, 0, 0, 0x7FC0_0000)


def _calls() -> dict[str, int] | None:
    """Return the numbers of system calls on this machine; None where they are not known."""
    if platform.machine() not in _CALLS:
        return None
    return {**_CALLS[platform.machine()], **_NEWER}


def _refusing(number: int, error: int = 13) -> list[_Row]:
    """Return rows of a filter that refuse a call."""
    return [(0x15, 0, 1, number), (0x06, 0, 0, 0x0005_0000 | error)]


def _wanting(
    call: int, argument: int, *change: _Row, otherwise: _Row = _REFUSE, last: bool = True
) -> list[_Row]:
    """Return rows that refuse a call unless an argument, changed first, is 0."""
    rows = [(0x20, 0, 0, 16 + 8 * argument), *change, (0x15, 1, 0, 0), otherwise]
    rows.append(_ALLOW if last else (0x20, 0, 0, 0))
    return [(0x15, 0, len(rows), call), *rows]


def _refusing_pairs(call: int) -> list[_Row]:
    """Return rows that refuse pairs of datagram sockets: one end could be sent elsewhere."""
    rows = [(0x20, 0, 0, 24), (0x54, 0, 0, 0xF), (0x15, 1, 0, 1), (0x15, 0, 1, 5), _ALLOW, _REFUSE]
    return [(0x15, 0, len(rows), call), *rows]


def _program(rules: list[list[_Row]]) -> bytes:
    """Return a filter of system calls as the kernel reads it."""
    rows: list[_Row] = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, _AUDIT_ARCH[platform.machine()]),
        (0x06, 0, 0, 0x8000_0000),  # another one: kill
        (0x20, 0, 0, 0),  # load the number of the call
        (0x35, 0, 1, 0x4000_0000),  # the x32 numbers: refuse
        _REFUSE,
    ]
    rows += [row for rule in rules for row in rule]
    rows.append(_ALLOW)
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def _install(program: bytes, flags: int = 0) -> int:
    """Put a filter of system calls in force, for this process and all that it starts."""
    buffer = ctypes.create_string_buffer(program)
    no_new_privileges()
    description = _Program(len(program) // struct.calcsize("HBBI"), ctypes.addressof(buffer))
    return _check(_libc.syscall(_SECCOMP, 1, flags, ctypes.byref(description)), "seccomp")
