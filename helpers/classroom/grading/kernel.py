"""The few Linux system calls that Python does not offer, by ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import sys

NEWNS, NEWUTS, NEWIPC = 0x0002_0000, 0x0400_0000, 0x0800_0000
NEWUSER, NEWPID, NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 36, 38, 24
_SIGKILL = 9
_CAPABILITY_VERSION = 0x2008_0522

# Landlock, linux/landlock.h
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_EXECUTE, _READ_FILE, _READ_DIR, _IOCTL = 1 << 0, 1 << 2, 1 << 3, 1 << 15
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
READ = _EXECUTE | _READ_FILE | _READ_DIR

# What a notebook never needs: x86_64 and aarch64 numbers of the calls that are refused.
_REFUSED = {
    "x86_64": {
        "socket": 41, "ptrace": 101, "mount": 165, "umount2": 166, "pivot_root": 155,
        "unshare": 272, "setns": 308, "keyctl": 250, "add_key": 248, "request_key": 249,
        "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "process_vm_readv": 310,
        "process_vm_writev": 311, "open_by_handle_at": 304, "io_uring_setup": 425,
        "kexec_load": 246, "init_module": 175, "finit_module": 313,
        "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "semget": 64,
    },
    "aarch64": {
        "socket": 198, "ptrace": 117, "mount": 40, "umount2": 39, "pivot_root": 41,
        "unshare": 97, "setns": 268, "keyctl": 219, "add_key": 217, "request_key": 218,
        "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "process_vm_readv": 270,
        "process_vm_writev": 271, "open_by_handle_at": 265, "io_uring_setup": 425,
        "kexec_load": 104, "init_module": 105, "finit_module": 273,
        "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "msgget": 186, "semget": 190,
    },
}  # fmt: skip
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_AUDIT_ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

_ANY_SHARED = re.compile(rb" .w.s ")
_SHARED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) .w.s ", re.MULTILINE)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


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
    if sys.platform != "linux":
        return
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
    if sys.platform != "linux":
        return 0
    return max(int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)), 0)


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Let this process reach these files only, and no network, by Landlock."""
    abi = landlock_abi()
    handled = (1 << _FS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
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
        rule = struct.pack("=Qi", rights, descriptor)
        _check(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock {path}")
    finally:
        os.close(descriptor)


def shared_memory() -> list[tuple[int, int]]:
    """Return where this process has memory that its forks share and may write."""
    if sys.platform != "linux":
        return []
    with open("/proc/self/maps", "rb", buffering=1 << 18) as file:
        text = file.read()
    rows = _SHARED.findall(text) if _ANY_SHARED.search(text) else []
    return [(int(first, 16), int(last, 16)) for first, last in rows]


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


def refuse_calls() -> bool:
    """Refuse system calls that a notebook never needs; False where they are not known.

    Among them are sockets, memory that no limit counts, and limits of other processes.
    """
    machine = platform.machine()
    numbers = _REFUSED.get(machine)
    if numbers is None or sys.platform != "linux":
        return False
    calls = sorted(numbers.values())
    rows = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, _AUDIT_ARCH[machine]),
        (0x06, 0, 0, 0x8000_0000),  # another one: kill
        (0x20, 0, 0, 0),  # load the number of the call
        (0x35, len(calls) + 4, 0, 0x4000_0000),  # the x32 numbers: refuse
    ]
    rows += [(0x15, len(calls) + 3 - i, 0, number) for i, number in enumerate(calls)]
    # prlimit: only of this process itself, which is number 0
    rows += [(0x15, 0, 2, _PRLIMIT[machine]), (0x20, 0, 0, 16), (0x15, 0, 1, 0)]
    rows += [(0x06, 0, 0, 0x7FFF_0000), (0x06, 0, 0, 0x0005_0000 | 13)]  # allow; EACCES
    program = b"".join(struct.pack("HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(program)
    no_new_privileges()
    description = _Program(len(rows), ctypes.addressof(buffer))
    _check(_prctl(_PR_SET_SECCOMP, 2, ctypes.byref(description)), "seccomp")
    return True
