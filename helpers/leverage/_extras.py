"""What the optional parts of this package need, and the sentence for who has not installed it."""

from importlib.util import find_spec


def extra_command(extra: str) -> str:
    """Return the command that installs an extra, from the course's own folder.

    No index is asked for the course itself: it is on none, and anybody could take its name there.

    >>> extra_command("postgres")
    '.venv/bin/python -m pip install -e ".[postgres]"'
    """
    return f'.venv/bin/python -m pip install -e ".[{extra}]"'


def needs(extra: str, *modules: str) -> None:
    """Raise unless the modules of an extra are installed.

    Parameters
    ----------
    extra : str
        The extra that brings them, such as ``"lessons"``.
    *modules : str
        Names of top-level modules. None of them is imported.

    Raises
    ------
    ModuleNotFoundError
        Names what is missing and the command that brings it.

    Examples
    --------
    >>> needs("lessons", "json")
    >>> needs("lessons", "json", "no_such_module")
    Traceback (most recent call last):
    ModuleNotFoundError: this needs no_such_module, which is not installed; in the folder of the course, .venv/bin/python -m pip install -e ".[lessons]" brings it
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        be = "is" if len(missing) == 1 else "are"
        raise ModuleNotFoundError(
            f"this needs {' and '.join(missing)}, which {be} not installed; "
            f"in the folder of the course, {extra_command(extra)} brings it",
            name=missing[0],
        )
