"""Controls that several explorers offer, and the look that all of them share."""

from __future__ import annotations

from typing import Any

from ipywidgets import Dropdown, IntSlider, Layout

from leverage.contracts import LONG, SHORT


def control_look(label_width: str = "8.5em", width: str = "340px") -> dict[str, Any]:
    """Return the style and layout of a panel's controls: labels and fields stand in line."""
    return {"style": {"description_width": label_width}, "layout": Layout(width=width)}


def side_choice(side: int, look: dict[str, Any], *, label: str = "Side") -> Dropdown:
    """Return the choice between long and short."""
    return Dropdown(
        options=[("Long", LONG), ("Short", SHORT)],
        value=side,
        description=label,
        tooltip="A long gains when the price rises, a short when it falls",
        **look,
    )


def leverage_slider(
    leverage: int,
    look: dict[str, Any],
    *,
    most: int,
    meaning: str = "Position value divided by margin",
) -> IntSlider:
    """Return the slider of the leverage, from 1 to `most`; `meaning` says what it sets."""
    return IntSlider(
        value=leverage,
        min=1,
        max=most,
        description="Leverage (×)",
        tooltip=f"{meaning}, 1 to {most}",
        **look,
    )
