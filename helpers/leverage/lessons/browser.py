"""Find a browser on this computer, and let it print a page to a file, offline."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PRINT_SECONDS = 60


def find_browser() -> str | None:
    """Return the path of a Chromium-like browser, or None.

    Looks at `$CHROMIUM`, at the programs on PATH, and at what Playwright downloaded.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    on_path = next((p for name in BROWSERS if (p := shutil.which(name))), None)
    if on_path:
        return on_path
    for folder in (".cache/ms-playwright", "Library/Caches/ms-playwright"):
        for pattern in (
            "chromium-*/chrome-linux*/chrome",
            "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
        ):
            found = sorted((Path.home() / folder).glob(pattern))
            if found:
                return str(found[-1])
    return None


def print_pdf(page: Path, target: Path, browser: str) -> str:
    """Let a browser print an HTML file as PDF; return why it could not, or nothing.

    Parameters
    ----------
    page : Path
        The HTML file.
    target : Path
        The PDF to write; left as it was if the browser fails.
    browser : str
        Path of a Chromium-like browser. It runs without a window, with a profile of its own that
        is deleted, and finds no address on any network.
    """
    with tempfile.TemporaryDirectory(prefix="print-", ignore_cleanup_errors=True) as folder:
        made = Path(folder, "page.pdf")
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
            page.resolve().as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # As root a browser refuses to start inside its sandbox; the page is our own.
            command.insert(1, "--no-sandbox")
        try:
            subprocess.run(command, capture_output=True, timeout=PRINT_SECONDS, check=True)
            content = made.read_bytes()
            if not content.startswith(b"%PDF-"):
                return "the browser wrote something that is no PDF"
            target.write_bytes(content)
        except subprocess.TimeoutExpired:
            return f"the browser took longer than {PRINT_SECONDS} s"
        except (OSError, subprocess.CalledProcessError) as error:
            return f"the browser could not print it ({type(error).__name__})"
    return ""
