"""The locks pin everything with hashes, and hold on every Python that the course supports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import repo2docker.buildpacks.conda
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from classroom.upkeep.lock import SUPPORTED_PYTHONS, split_requirements

pytestmark = pytest.mark.environment

LOCKS = ("binder/requirements.txt", "tests/requirements.txt")
# Linux with this glibc or a newer one: Debian 12, Ubuntu 22.04, and Binder's Ubuntu 24.04.
GLIBC = (2, 35)
UV_LIMIT_S = 120


@dataclass(frozen=True)
class Pin:
    """One pinned requirement."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (specifier,) = self.requirement.specifier
        return specifier.version

    def applies(self, python: str) -> bool:
        """Tell whether the pin counts on Linux with this Python."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate({**LINUX, **PYTHONS[python]})


LINUX = {
    **default_environment(),
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "platform_system": "Linux",
    "sys_platform": "linux",
    "extra": "",
}
PYTHONS = {
    python: {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
    }
    for python in SUPPORTED_PYTHONS
}


def read_pins(path: Path) -> list[Pin]:
    """Read a lock's pins."""
    pins = []
    for block in split_requirements(path.read_text(encoding="utf-8")):
        line = block.splitlines()[0].rstrip(" \\")
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", block)
        assert block.count("--hash=") == len(hashes), f"{path.name}: a broken hash: {line}"
        pins.append(Pin(Requirement(line), frozenset(hashes)))
    return pins


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, list[Pin]]:
    """The pins of each lock file."""
    return {lock: read_pins(root / lock) for lock in LOCKS}


def uv(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run uv, the program that made the locks, without its cache."""
    program = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert program, "the program uv was not found; install the tools with: make install"
    command = [program, "pip", *arguments, "--system-certs", "--no-cache", "--no-python-downloads"]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=UV_LIMIT_S)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_to_one_version_with_hashes(
    pins: dict[str, list[Pin]], lock: str
) -> None:
    assert pins[lock]
    for pin in pins[lock]:
        operators = [specifier.operator for specifier in pin.requirement.specifier]
        assert operators == ["=="], f"{pin.name}: {operators}"
        assert "*" not in pin.version, pin.name
        assert pin.hashes, f"{pin.name} has no hash"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry_and_no_local_file(root: Path, lock: str) -> None:
    text = (root / lock).read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert options == (["-r ../binder/requirements.txt"] if lock.startswith("tests") else [])
    assert not re.search(r"://|@ ", text)


def test_the_test_lock_adds_to_the_courses_lock_and_pins_nothing_twice(
    root: Path, pins: dict[str, list[Pin]]
) -> None:
    lines = (root / LOCKS[1]).read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if not line.startswith("#")) == f"-r ../{LOCKS[0]}"
    course, tests = ({pin.name for pin in pins[lock]} for lock in LOCKS)
    assert not course & tests


def test_the_locks_pin_every_dependency_of_the_project_within_its_range(
    root: Path, pins: dict[str, list[Pin]]
) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    course = pins[LOCKS[0]]
    everything = course + pins[LOCKS[1]]
    extras = project["optional-dependencies"]
    own = f"{project['name']}["
    assert [text for text in extras["classroom"] if text.startswith(own)] == [f"{own}lessons]"]
    in_course = [*project["dependencies"], *extras["lessons"], *extras["classroom"]]
    wanted = [(course, text) for text in in_course if not text.startswith(own)]
    wanted += [(everything, text) for text in [*extras["site"], *extras["test"]]]
    for available, text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        found = [pin for pin in available if pin.name == name]
        assert found, f"{text} is not in the lock; run: make lock"
        for pin in found:
            assert requirement.specifier.contains(pin.version), f"{text}, but {pin.requirement}"


def test_the_supported_pythons_are_those_of_the_project(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    named = [text for text in project["classifiers"] if text.startswith(prefix)]
    assert tuple(text.rpartition(" ")[2] for text in named) == SUPPORTED_PYTHONS
    runtime = (root / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert runtime.removeprefix("python-") in SUPPORTED_PYTHONS


@pytest.mark.parametrize("python", SUPPORTED_PYTHONS)
def test_one_version_of_each_package_applies(pins: dict[str, list[Pin]], python: str) -> None:
    versions = defaultdict(set)
    for pin in pins[LOCKS[0]] + pins[LOCKS[1]]:
        if pin.applies(python):
            versions[pin.name].add(pin.version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("python", SUPPORTED_PYTHONS)
def test_the_locks_resolve_without_anything_that_is_not_pinned(
    root: Path, tmp_path: Path, python: str
) -> None:
    arguments = ["install", "--dry-run", "--require-hashes", "--only-binary", ":all:"]
    arguments += ["--python-version", python, "--python-platform", "x86_64-manylinux_2_35"]
    done = uv(*arguments, "--target", str(tmp_path / "none"), "-r", LOCKS[1], cwd=root)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def registry(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Every wheel that the registry has for a pinned version: file name -> SHA-256, by package."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    file = tmp_path_factory.mktemp("locks") / "pylock.toml"
    arguments = ["compile", LOCKS[1], "--universal", "--python-version", SUPPORTED_PYTHONS[0]]
    done = uv(*arguments, "--format", "pylock.toml", "--output-file", str(file), cwd=root)
    assert done.returncode == 0, done.stderr
    for package in tomllib.loads(file.read_text(encoding="utf-8"))["packages"]:
        for wheel in package.get("wheels", []):
            name = wheel.get("name") or wheel["url"].rpartition("/")[2]
            key = f"{canonicalize_name(package['name'])}=={package['version']}"
            found[key][name] = wheel["hashes"]["sha256"]
    return found


def linux_tags(python: str) -> Iterator[Tag]:
    """Return the wheel tags that a Linux machine with this Python can install."""
    version = tuple(int(part) for part in python.split("."))
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC[1], 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
    platforms += ["linux_x86_64"]
    yield from cpython_tags(version, platforms=platforms)
    yield from compatible_tags(version, f"cp{version[0]}{version[1]}", platforms)


@pytest.mark.parametrize("python", SUPPORTED_PYTHONS)
def test_the_registry_has_a_wheel_with_a_pinned_hash_for_every_pin(
    pins: dict[str, list[Pin]], registry: dict[str, dict[str, str]], python: str
) -> None:
    tags = frozenset(linux_tags(python))
    missing = []
    for pin in pins[LOCKS[0]] + pins[LOCKS[1]]:
        if not pin.applies(python):
            continue
        wheels = registry[f"{pin.name}=={pin.version}"]
        fitting = [name for name in wheels if parse_wheel_filename(name)[3] & tags]
        if not any(wheels[name] in pin.hashes for name in fitting):
            missing.append(f"{pin.requirement} ({len(fitting)} of {len(wheels)} wheels fit)")
    assert not missing, f"pip could not install with hashes on Python {python}: {missing}"


def test_the_lock_agrees_with_what_binders_image_holds_beside_it(
    root: Path, tmp_path: Path, pins: dict[str, list[Pin]]
) -> None:
    runtime = (root / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    folder = Path(repo2docker.buildpacks.conda.__file__).parent
    image = folder / f"environment.py-{runtime.removeprefix('python-')}-linux-64.lock"
    held = re.findall(
        r"/(?P<name>jupyterhub|jupyter-offlinenotebook|jupyter-resource-usage)(?:-base)?"
        r"-(?P<version>[0-9.]+)-[^/]+\.conda",
        image.read_text(encoding="utf-8"),
    )
    assert len(held) == 3, "repo2docker's image holds other packages than this test knows"
    course = [str(pin.requirement) for pin in pins[LOCKS[0]]]
    text = "\n".join([*course, *(f"{name}=={version}" for name, version in held)])
    (tmp_path / "image.txt").write_text(text, encoding="utf-8")
    arguments = ["compile", str(tmp_path / "image.txt"), "--no-header", "--only-binary", ":all:"]
    arguments += ["--python-version", runtime.removeprefix("python-")]
    done = uv(*arguments, "--python-platform", "x86_64-manylinux_2_35", cwd=root)
    assert done.returncode == 0, done.stderr
