"""`classroom doctor`: what is installed, what is missing and how to get it.

Other packages are imported where they are asked about, because any of them may be missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from classroom.project import Project, relative
from leverage._extras import extra_command

INSTALL = "run 'make install'"


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    name: str
    found: str
    ok: bool
    needed: bool
    remedy: str = ""

    @property
    def state(self) -> str:
        """`ok`, `MISSING` (needed) or `optional` (not there, but only some jobs want it)."""
        return "ok" if self.ok else ("MISSING" if self.needed else "optional")


def locked_versions(path: Path) -> dict[str, str]:
    """Return the versions that a lock file pins for the running Python and platform."""
    from packaging.requirements import Requirement

    versions: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            requirement = Requirement(line.rstrip(" \\"))
            if requirement.marker is None or requirement.marker.evaluate():
                versions[requirement.name] = str(next(iter(requirement.specifier)).version)
    return versions


def lock_state(path: Path, name: str, remedy: str, *, needed: bool) -> Diagnosis:
    """Compare what is installed with a lock file."""
    if not path.exists():
        return Diagnosis(name, f"{path.name} not found", False, needed, "get a complete checkout")
    missing, other = [], []
    locked = locked_versions(path)
    for package, version in locked.items():
        try:
            installed = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
            continue
        if installed != version:
            other.append(f"{package} {installed} instead of {version}")
    if not missing and not other:
        return Diagnosis(name, f"all {len(locked)} as locked", True, needed)
    parts = [f"{len(missing)} missing ({', '.join(missing[:3])})"] * bool(missing)
    parts += [f"{len(other)} of another version ({', '.join(other[:3])})"] * bool(other)
    return Diagnosis(name, "; ".join(parts), False, needed, remedy)


def can_write(folder: Path) -> bool:
    """Tell whether files can be made in a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def python_state() -> Diagnosis:
    """Look at the running Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 14)
    remedy = "install Python 3.11, 3.12, 3.13 or 3.14 and make the environment again: 'make clean install'"
    return Diagnosis("Python 3.11 to 3.14", version, ok, True, remedy)


def helpers_state(project: Project) -> Diagnosis:
    """Where the helpers are imported from."""
    import leverage

    home = Path(leverage.__file__).resolve().parent
    here = home == (project.root / "helpers" / "leverage").resolve()
    found = relative(home, project.root) if here else f"another copy: {home}"
    return Diagnosis("leverage from this checkout", found, here, True, INSTALL)


def kernel_state() -> Diagnosis:
    """Look for the kernel that notebooks ask for."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        remedy = f"{INSTALL}, or 'python -m ipykernel install --sys-prefix'"
        return Diagnosis("kernel python3", "not installed", False, True, remedy)
    program = spec.argv[0]
    ok = shutil.which(program) is not None
    return Diagnosis("kernel python3", spec.display_name, ok, True, f"{program} is gone; {INSTALL}")


def sandbox_states() -> Iterator[Diagnosis]:
    """Look at which levels of isolation this machine offers for grading."""
    from classroom.grading.sandbox import available_levels, level_label

    for report in available_levels():
        found = level_label(report.level) if report.available else report.reason
        name = f"grading sandbox {report.level}"
        yield Diagnosis(name, found, report.available, False, report.install)


def extra_state(module: str, extra: str, why: str) -> Diagnosis:
    """Look for a package that only one job wants."""
    ok = importlib.util.find_spec(module) is not None
    found = "installed" if ok else f"not installed; {why}"
    return Diagnosis(f"extra {extra}", found, ok, False, extra_command(extra))


def diagnose(project: Project) -> Iterator[Diagnosis]:
    """Look at everything that the commands need."""
    root = project.root
    yield python_state()
    yield lock_state(root / "binder" / "requirements.txt", "course packages", INSTALL, needed=True)
    if (root / "tests").is_dir():
        yield lock_state(
            root / "tests" / "requirements.txt", "test packages", INSTALL, needed=False
        )
    yield helpers_state(project)
    yield kernel_state()
    scripts = Path(sys.executable).parent
    for program, why in (
        ("jupyter", "opens the course"),
        ("alembic", "nbgrader's gradebook asks it for its version"),
    ):
        place = shutil.which(program, path=str(scripts)) or shutil.which(program)
        yield Diagnosis(
            f"program {program}",
            (place and "found") or f"not found; {why}",
            bool(place),
            True,
            INSTALL,
        )
    for program, remedy in (
        ("git", "install git from your system's packages"),
        ("make", "install make, or use the lines for Windows in README.md"),
    ):
        place = shutil.which(program)
        yield Diagnosis(
            f"program {program}", "found" if place else "not found", bool(place), False, remedy
        )
    try:
        from leverage.lessons.browser import find_browser

        browser = find_browser()
    except ModuleNotFoundError:  # a package is missing, which has a line of its own
        browser = None
    yield Diagnosis(
        "browser for the tests",
        Path(browser).name if browser else "not found",
        browser is not None,
        False,
        "install Chromium, Chrome or Edge (Debian: apt-get install chromium), or set CHROMIUM to the "
        "program's path",
    )
    yield from sandbox_states()
    yield extra_state("psycopg", "postgres", "a gradebook on PostgreSQL needs it")
    yield extra_state("distributed", "cluster", "grading on a Dask cluster needs it")
    for folder in ("course", "solutions"):
        if folder == "solutions" and not (root / folder).is_dir():  # a handout has none
            continue
        ok = can_write(root / folder)
        remedy = f"make {folder}/ writable, or clone the course where you may write"
        yield Diagnosis(
            f"{folder}/ can be written", "yes" if ok else "no", ok, folder == "course", remedy
        )
    for chapter in project.chapters() or project.released():
        ok = chapter.student_notebook.exists()
        yield Diagnosis(
            f"notebook {chapter.name}",
            "there" if ok else "missing",
            ok,
            True,
            f"run 'classroom build {chapter.name}'",
        )


def doctor(project: Project) -> bool:
    """Print a diagnosis; return whether everything that is needed is there."""
    results = list(diagnose(project))
    width = max(len(result.name) for result in results)
    for result in results:
        print(f"{result.state:<8} {result.name:<{width}}  {result.found}")
        if not result.ok:
            print(f"{'':<8} {'':<{width}}  to mend it: {result.remedy}")
    needed = [result for result in results if not result.ok and result.needed]
    print(
        "Everything the course needs is there."
        if not needed
        else f"{len(needed)} things are missing."
    )
    return not needed
