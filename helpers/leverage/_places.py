"""Where what belongs to the learner is kept: on their own computer, or in their own browser."""

import os
import sys
from pathlib import Path

# JupyterLite puts the files that the browser keeps here; the kernel's other files die with it.
BROWSER_DRIVE = Path("/drive")


def in_browser() -> bool:
    """Tell whether this Python runs inside a browser, without a server."""
    return sys.platform == "emscripten"


def home_folder() -> Path | None:
    """Return the home folder; where HOME is empty, the one of the system's list of users."""
    try:
        if os.name == "nt" or os.environ.get("HOME", "").strip():
            return Path.home()
        import pwd  # Windows has none

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError, RuntimeError):
        return None


def own_folder() -> Path:
    """Return the folder at home; on the browser's drive in JupyterLite; here where neither is."""
    kept = in_browser() and BROWSER_DRIVE.is_dir()
    return (BROWSER_DRIVE if kept else home_folder() or Path.cwd()) / ".leverage-course"


def own_place(variable: str, name: str) -> Path:
    """Return the file or folder that an environment variable names, else `name` in `own_folder`."""
    chosen = os.environ.get(variable, "").strip()
    path = Path(chosen) if chosen else own_folder() / name
    if path.parts[:1] != ("~",):
        return path
    return (home_folder() or Path.cwd()).joinpath(*path.parts[1:])
