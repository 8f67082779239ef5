"""The course in the browser: JupyterLite with all student notebooks and our wheel in its kernel.

The kernel loads what a cell imports from a list of packages, its lock. Ours is Pyodide's own, cut
to what the course needs (`book/pyodide-lock.json`), with the course's wheel and the kernel's parts
added: so `from leverage import …` works without a line that installs anything. What is Pyodide's
comes from Pyodide's own address; everything else lies on the site.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename

from classroom.errors import ClassroomError
from classroom.project import Project

PYODIDE = "0.29.3"
PYODIDE_ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE}/full/"
EXTENSION = "@jupyterlite/pyodide-kernel-extension"
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
# What the kernel loads before its first cell; it would ask a registry for what is not named here.
KERNEL = (
    "micropip",
    "piplite",
    "sqlite3",
    "ipykernel",
    "comm",
    "pyodide_kernel",
    "jedi",
    "ipython",
)
# Pure Python that Pyodide has not: taken as it is installed here, in the version of our own lock.
ADDED = ("comm", "ipywidgets")
NEEDS = ("numpy", "pandas", "matplotlib", "pillow", "ipywidgets", "tqdm")
DEPENDS = {
    "leverage-course": NEEDS,
    "ipywidgets": ("comm", "ipython", "traitlets", "widgetsnbextension"),
    "comm": ("traitlets",),
    "pyodide-kernel": ("ipython", "comm", "ipykernel"),
    "piplite": ("micropip",),
}


def installed_wheel(name: str, folder: Path) -> Path:
    """Write an installed package as a wheel of its pure Python, without what was compiled."""
    found = importlib.metadata.distribution(name)
    files = [
        file
        for file in found.files or ()
        if ".." not in file.parts and "__pycache__" not in file.parts and file.suffix != ".so"
        if file.name not in {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
    ]
    stem = found.metadata["Name"].replace("-", "_").lower()
    path = folder / f"{stem}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            info = zipfile.ZipInfo(file.as_posix(), (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, Path(str(found.locate_file(file))).read_bytes())
    return path


def course_wheel(project: Project, folder: Path) -> Path:
    """Build the wheel of this project; the checkout is left as it is."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        copy = Path(name)
        for part in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
            shutil.copy(project.root / part, copy)
        shutil.copytree(
            project.root / "helpers",
            copy / "helpers",
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
        run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"],
            ["--wheel-dir", str(folder), str(copy)],
        )
    (made,) = folder.glob("leverage_course-*.whl")
    return made


def run(*command: Iterable[str], folder: Path | None = None) -> None:
    """Run a program of this environment; what it said is shown if it fails."""
    words = [word for part in command for word in part]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise ClassroomError(f"{' '.join(words[:5])} failed:\n{last}")


def lock_entry(wheel: Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the row of a wheel in the kernel's lock."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        tops = {file.partition("/")[0] for file in archive.namelist()}
    return str(name), {
        "name": str(name),
        "version": str(version),
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": sorted(top.removesuffix(".py") for top in tops if ".dist-info" not in top),
        "depends": list(DEPENDS.get(str(name), ())),
        "unvendored_tests": False,
    }


def kernel_lock(pyodide: Mapping[str, Any], wheels: Iterable[Path], address: str) -> dict[str, Any]:
    """Return the kernel's lock: Pyodide's packages at their address, and wheels beside the lock."""
    packages = {
        name: {**row, "file_name": address + row["file_name"]}
        for name, row in pyodide["packages"].items()
    }
    packages |= dict(map(lock_entry, wheels))
    return {"info": pyodide["info"], "packages": packages}


def labextension(name: str) -> Path:
    """Return the folder of an installed extension of JupyterLab."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / name
    if not folder.is_dir():
        raise ClassroomError(f"{folder} is missing; run: make install")
    return folder


def lite_config() -> dict[str, Any]:
    """Return the settings of the page."""
    kernel = {
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"lockFileURL": "./kernel/pyodide-lock.json", "packages": [*KERNEL]},
    }
    return {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {
            "appName": "Leverage, computed",
            "defaultKernelName": "python",
            "disabledExtensions": ["@jupyterlab/apputils-extension:announcements"],
            "litePluginSettings": {f"{EXTENSION}:kernel": kernel},
        },
    }


def make_lab(project: Project, target: Path) -> None:
    """Build JupyterLite in `target`, with `course/` as its files."""
    with tempfile.TemporaryDirectory(prefix="lite-") as name:
        folder = Path(name)
        (folder / "jupyter-lite.json").write_text(json.dumps(lite_config()))
        config = {
            "LiteBuildConfig": {
                "contents": [str(project.root / "course")],
                "apps": ["lab"],
                "no_sourcemaps": True,
                "no_unused_shared_packages": True,
                "ignore_sys_prefix": ["federated_extensions"],
                "federated_extensions": [str(labextension(x)) for x in (EXTENSION, WIDGETS)],
                "output_dir": str(target),
                "cache_dir": str(project.cache / "lite"),
            }
        }
        (folder / "jupyter_lite_config.json").write_text(json.dumps(config))
        run([sys.executable, "-m", "jupyterlite_core", "build"], folder=folder)
    kernel = target / "kernel"
    kernel.mkdir()
    for wheel in (labextension(EXTENSION) / "static" / "pypi").glob("*.whl"):
        if not wheel.name.startswith("widgetsnbextension-3"):
            shutil.copy(wheel, kernel)
    for name in ADDED:
        installed_wheel(name, kernel)
    course_wheel(project, kernel)
    listed = json.loads((project.root / "book" / "pyodide-lock.json").read_text(encoding="utf-8"))
    lock = kernel_lock(listed, sorted(kernel.glob("*.whl")), PYODIDE_ADDRESS)
    (kernel / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
