"""All facts in one document that a program of somebody else can read, with its schema."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from leverage.venues.loader import LAW, venue_names
from leverage.venues.provenance import Source, as_date, confidence, newest, read_sources
from leverage.venues.records import UNKNOWN

VERSION = "1.0"
"""Version of the document; the first number changes when a reader has to."""

_FOLDER = files(__package__)


@cache
def export_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document.

    Examples
    --------
    >>> export_schema()["title"]
    'Facts about leveraged crypto trading venues'
    """
    return dict(json.loads((_FOLDER / "export.schema.json").read_text(encoding="utf-8")))


def exported(on: date | str) -> dict[str, Any]:
    """Put every fact, every version of it and every rule of law into one document.

    Parameters
    ----------
    on : datetime.date or str
        Day of the export, to which confidence is counted.

    Returns
    -------
    dict
        Plain values, as :func:`export_schema` describes them: the files of the venues and of the
        law, where each row has its sources written out, its newest date and its confidence.

    Examples
    --------
    >>> document = exported("2026-11-30")
    >>> fact = document["venues"]["kraken"]["products"]["futures_linear"]["facts"]["max_leverage"][1]
    >>> fact["value"], fact["places"], fact["confidence"], len(fact["sources"])
    (10, ['EU/EEA'], 'verified', 3)
    """
    day = as_date("on", on)
    return {
        "schema": export_schema()["$id"],
        "version": VERSION,
        "exported": str(day),
        "licence": "MIT, for the compilation; the facts are nobody's",
        "venues": {name: _file(name, str(day)) for name in venue_names()},
        "law": _file(LAW, str(day)),
    }


def _file(name: str, day: str) -> Any:
    data = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    sources = read_sources(data.pop("sources"))
    return _written_out(data, sources, day)


def _written_out(part: Any, sources: Mapping[str, Source], day: str) -> Any:
    if isinstance(part, list):
        return [_written_out(each, sources, day) for each in part]
    if isinstance(part, date):
        return part.isoformat()
    if isinstance(part, float) and part == float("inf"):
        return None
    if not isinstance(part, dict):
        return part
    row = {key: _written_out(value, sources, day) for key, value in part.items()}
    if not {"value", "tiers", "finding", "status"} & row.keys():
        return row
    read, against = (
        tuple(sources[key] for key in row.get(kind, ())) for kind in ("sources", "against")
    )
    row["sources"] = [_source_row(source) for source in read]
    row["against"] = [_source_row(source) for source in against]
    row["as_of"] = newest(read)
    row["confidence"] = confidence(
        read,
        on=day,
        known=row.get("value") != UNKNOWN,
        derived=row.get("derived", False),
        against=against,
    )
    return row


def _source_row(source: Source) -> dict[str, str]:
    return {
        "name": source.name,
        "kind": source.kind,
        "by": source.by,
        "shown": source.shown,
        "read": source.read.isoformat(),
        "address": source.address,
    }
