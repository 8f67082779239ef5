"""The solution of an exercise, for a learner who works alone and has tried it twice.

Solutions are read from `solutions/solutions.json` of the course's own folder, which
`classroom build` makes from the texts. What a class gets out has no such folder, and so shows none.
"""

import json
from pathlib import Path

from leverage.lessons import manifest, progress
from leverage.lessons.wording import counted, item_label, say, wrapped

TRIES = 2
"""Different wrong answers before a solution is shown."""
_FILE = Path("solutions", "solutions.json")


def show_solution(exercise: str) -> None:
    """Print the solution of an exercise, once two different answers of yours were not right.

    Your record counts it as shown. An exercise that you passed shows its solution at once.

    Parameters
    ----------
    exercise : str
        As the text names it: "1.C".

    Raises
    ------
    ValueError
        If there is no such exercise.

    Notes
    -----
    In a notebook, ``show_solution("1.C")`` prints *The solution of 1.C, shown after 2 tries:* and
    the code.
    """
    solutions = _solutions()
    if not solutions:
        say("There are no solutions here: this is what a class gets. Ask who gave it to you.")
        return
    wanted = str(exercise).strip().casefold()
    found = [key for key in solutions if wanted in (key.casefold(), item_label(key).casefold())]
    if not found:
        raise ValueError(
            f'exercise must be named as in the text, such as "1.C", was {exercise!r}; '
            "look at its heading"
        )
    key, items = found[0], _items_of(found[0])
    record = progress.read_record()
    passed = bool(items) and all(record.get(item, {}).get("passed") for item in items)
    tries = max((progress.tries_with(item, "") for item in items), default=0)
    if not passed and tries < TRIES:
        say(
            wrapped(
                f"Try {item_label(key)} yourself first: its solution shows after "
                f"{counted(TRIES, 'different answer')} of yours, and it has had {tries} so far."
            )
        )
        return
    progress.note_shown(items)
    after = "which you solved" if passed else f"shown after {tries} tries"
    say(f"The solution of {item_label(key)}, {after}:\n\n{solutions[key]}")


def offer(item_id: str, tries: int) -> list[str]:
    """Return the line that offers a solution after two tries, where there is one."""
    if tries < TRIES or progress.is_graded():
        return []
    exercise = _exercise_of(item_id)
    if exercise not in _solutions():
        return []
    return [f'To see how it is done: show_solution("{item_label(exercise)}")']


def _solutions() -> dict[str, str]:
    """Return the solutions by exercise from the course's folder above this one; {} without one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            data = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        except OSError:
            continue
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}
    return {}


def _exercise_of(item_id: str) -> str:
    item = manifest.find_item(item_id) or {}
    return item.get("exercise", item_id)


def _items_of(exercise: str) -> list[str]:
    everything = {**manifest.load_chapters(), **manifest.load_reviews()}
    return [key for _, key, item in manifest.items(everything) if item.get("exercise") == exercise]
