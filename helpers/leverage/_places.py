"""Where what belongs to the learner is kept: on their own computer, or in their own browser."""

import os
import sys
from pathlib import Path

# JupyterLite puts the files that the browser keeps here; the kernel's other files die with it.
BROWSER_DRIVE = Path("/drive")


def own_folder() -> Path:
    """Return the folder at home; on the browser's drive in JupyterLite; here where neither is."""
    if sys.platform == "emscripten" and BROWSER_DRIVE.is_dir():
        return BROWSER_DRIVE / ".leverage-course"
    try:
        return Path.home() / ".leverage-course"
    except RuntimeError:  # no home folder is known
        return Path(".leverage-course").absolute()


def own_place(variable: str, name: str) -> Path:
    """Return the file or folder that an environment variable names, else `name` in `own_folder`."""
    chosen = os.environ.get(variable, "").strip()
    if not chosen:
        return own_folder() / name
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        return Path(chosen)
