"""Python for the browser without the internet: what of Pyodide npm and PyPI have.

npm has Pyodide's core, and inside another package the only NumPy for it that a registry has. The
pure Python that the kernel needs is what is installed here. pandas, Matplotlib and Pillow for
WebAssembly lie at Pyodide's own address alone, so what needs them is not tried here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from classroom.authoring.lite import PYODIDE, installed_wheel, lock_entry

# Name, version and SHA-512 of the packages on npm.
CORE = (
    "pyodide",
    PYODIDE,
    "22UBuhOJawj7vKUnS7/F3xK+515LJdjiMAHoCfuS6/PbHiOrSQVnYwDe+2sbVwiOZ3sMMexdXICew6NqOMQGgA==",
)
NUMPY = (
    "@bentopdf/pymupdf-wasm",
    "0.11.16",
    "GPxxH2BokrS49fJa17mrt3hTBGRIDlMkLfJwk+tk45+ICTmIzcti7ACXT2JHK3FUJX916OQvnrJQb29ZajN3CA==",
)
# In the versions of Pyodide, which are not those of our own lock.
FETCHED = (
    "micropip==0.11.0 --hash=sha256:467568ffe26c3aa5b53bad7a4722ebd91b0427cfd664efbe1b571530ded4a84b",
    "ipython==9.0.2 --hash=sha256:143ef3ea6fb1e1bffb4c74b114051de653ffb7737a3f7ab1670e657ca6ae8c44",
    "decorator==5.2.1 --hash=sha256:d316bb415a2d9e2d2b3abcc4084c6502fc09240e292cd76a76afc106a1c8e04a",
)
CORE_FILES = (
    "pyodide.js",
    "pyodide.mjs",
    "pyodide.asm.js",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
)
# Pure Python that the kernel imports, as it is installed here.
PURE = (
    "packaging",
    "six",
    "executing",
    "asttokens",
    "pure_eval",
    "pygments",
    "stack_data",
    "wcwidth",
    "prompt_toolkit",
    "traitlets",
    "matplotlib-inline",
    "parso",
    "jedi",
    "typing_extensions",
)
DEPENDS = {
    "stack-data": ("asttokens", "executing", "pure-eval"),
    "prompt-toolkit": ("wcwidth",),
    "matplotlib-inline": ("traitlets",),
    "jedi": ("parso",),
    "ipython": (
        "decorator",
        "jedi",
        "matplotlib-inline",
        "prompt-toolkit",
        "pygments",
        "stack-data",
        "traitlets",
        "typing-extensions",
    ),
}


def from_npm(package: tuple[str, str, str], cache: Path) -> Path:
    """Return a package's tarball, fetched once with npm and held against its hash."""
    name, version, sha512 = package
    kept = cache / f"{name.replace('/', '-').lstrip('@')}-{version}.tgz"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail("the program npm was not found (Debian: apt-get install npm)")
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", "--silent", f"{name}@{version}", "--pack-destination", str(cache)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    digest = base64.b64encode(hashlib.sha512(kept.read_bytes()).digest()).decode()
    assert digest == sha512, f"{kept.name} is not the file that was pinned"
    return kept


def from_pypi(requirement: str, folder: Path) -> Path:
    """Return the wheel of a requirement with its hash, for the kernel's Python."""
    listed = folder / "one.txt"
    listed.write_text(requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", "3.13", "--dest", str(folder)]
    subprocess.run([*command, "-r", str(listed)], check=True, capture_output=True, timeout=120)
    name, _, version = requirement.split()[0].partition("==")
    return folder / f"{name}-{version}-py3-none-any.whl"


def pyodide_core(folder: Path, cache: Path) -> Path:
    """Put Pyodide's core and NumPy into `folder`; return NumPy's wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(from_npm(CORE, cache)) as archive:
        for name in (*CORE_FILES, "pyodide-lock.json"):
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
    with tarfile.open(from_npm(NUMPY, cache)) as archive:
        (name,) = (x for x in archive.getnames() if "/numpy-" in x)
        member = archive.extractfile(name)
        assert member is not None
        wheel = folder / Path(name).name
        wheel.write_bytes(member.read())
    return wheel


def no_sqlite(folder: Path) -> Path:
    """Return a wheel without a module for sqlite3, which IPython does without."""
    wheel = folder / "sqlite3-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sqlite3-1.0.0.dist-info/METADATA", "Name: sqlite3\nVersion: 1.0.0\n")
        archive.writestr("sqlite3-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return wheel


def offline_lock(lab: Path, cache: Path) -> None:
    """Let the kernel of a built JupyterLite find everything on this machine."""
    folder = lab / "pyodide"
    numpy = pyodide_core(folder, cache)
    path = lab / "kernel" / "pyodide-lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    rows = {name: row for name, row in lock["packages"].items() if ":" not in row["file_name"]}
    pure = [installed_wheel(name, folder) for name in PURE]
    fetched = [from_pypi(requirement, folder) for requirement in FETCHED]
    for wheel in (numpy, no_sqlite(folder), *fetched, *pure):
        name, row = lock_entry(wheel)
        shutil.move(wheel, lab / "kernel" / wheel.name)
        rows[name] = {**row, "depends": list(DEPENDS.get(name, ()))}
    for row in rows.values():
        row["depends"] = [name for name in row["depends"] if name.replace("_", "-") in rows]
    path.write_text(json.dumps({**lock, "packages": rows}), encoding="utf-8")
    settings = lab / "jupyter-lite.json"
    data = json.loads(settings.read_text(encoding="utf-8"))
    (kernel,) = (
        row
        for name, row in data["jupyter-config-data"]["litePluginSettings"].items()
        if name.endswith(":kernel")
    )
    data["jupyter-config-data"]["exposeAppInBrowser"] = True
    kernel["pyodideUrl"] = "./pyodide/pyodide.js"
    settings.write_text(json.dumps(data), encoding="utf-8")
