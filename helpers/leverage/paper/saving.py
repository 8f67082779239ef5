"""A run in one file: prices, rules and state as JSON with a version and a checksum."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from leverage.bars import Bars
from leverage.paper.exchange_errors import UnreadableSave
from leverage.paper.funding import FundingModel, FundingSource
from leverage.paper.instruments import Instrument, Market
from leverage.paper.market_rules import Rules
from leverage.paper.state import (
    Account,
    Event,
    Liquidation,
    Order,
    Position,
    Posting,
    Prices,
    State,
    Trade,
)
from leverage.paper.tape import Tape, Track
from leverage.paper.world import World
from leverage.tiers import TierTable

FORMAT = "leverage paper exchange"
VERSION = 1

T = TypeVar("T")


def write_run(world: World, name: str, path: Path) -> None:
    """Write a run; the file appears whole or not at all.

    Parameters
    ----------
    world : World
        What to save.
    name : str
        Account that the face was bound to.
    path : Path
        Where to; an existing file is replaced.
    """
    body = _as_json(_pack_run(world, name))
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, "checksum": _checksum(body), "body": body}
    )
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_run(path: Path) -> tuple[World, str]:
    """Read a run.

    Returns
    -------
    World, str
        What was saved, and the account that the face was bound to.

    Raises
    ------
    UnreadableSave
        If the file is not a whole saved run of this version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableSave(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UnreadableSave(f"{path.name} is not a saved run: it is not text") from None
    try:
        outer = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableSave(
            f"{path.name} is not a whole saved run: its JSON breaks off or is foreign at "
            f"character {error.pos} of {len(text)}; save again"
        ) from None
    if not isinstance(outer, dict) or outer.get("format") != FORMAT:
        raise UnreadableSave(f"{path.name} is not a saved run of {FORMAT}")
    if outer.get("version") != VERSION:
        raise UnreadableSave(
            f"{path.name} has version {outer.get('version')!r}, this program reads {VERSION}"
        )
    body = outer.get("body")
    if not isinstance(body, str) or _checksum(body) != outer.get("checksum"):
        raise UnreadableSave(f"{path.name} was changed or damaged: its checksum does not match")
    try:
        return _unpack_run(json.loads(body))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableSave(
            f"{path.name} has a right checksum and cannot be understood: {error}"
        ) from None


def state_digest(state: State) -> str:
    """Fingerprint of a state: equal states have equal ones."""
    return _checksum(_as_json(state))


def _as_json(data: Any) -> str:
    """Write what may hold our dataclasses; `asdict` would copy every order and posting first."""
    return json.dumps(data, separators=(",", ":"), default=_by_field)


def _by_field(one: Any) -> dict[str, Any]:
    return {item.name: getattr(one, item.name) for item in fields(one)}


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _pack_run(world: World, name: str) -> dict[str, Any]:
    state = {**_by_field(world.state), "working": list(world.state.working)}
    return {
        "account": name,
        "rules": _pack_rules(world.rules),
        "contracts": [
            {
                "symbol": c.symbol,
                "base": c.base,
                "quote": c.quote,
                "settle": c.settle,
                "market": c.market,
                "has_table": c.table is not None,
            }
            for c in world.instruments.values()
        ],
        "funding": world.funding,
        "spread": world.spread,
        "liquidity": world.liquidity,
        "tape": _pack_tape(world.tape),
        "state": state,
    }


def _unpack_run(data: dict[str, Any]) -> tuple[World, str]:
    rules = _unpack_rules(data["rules"])
    instruments = {
        part["symbol"]: Instrument(
            part["symbol"],
            part["base"],
            part["quote"],
            part["settle"],
            rules,
            Market(**part["market"]),
            rules.table(part["base"]) if part["has_table"] else None,
        )
        for part in data["contracts"]
    }
    funding = {}
    for symbol, part in data["funding"].items():
        model = part.pop("model")
        part["times"], part["rates"] = tuple(part["times"]), tuple(part["rates"])
        funding[symbol] = FundingSource(**part, model=FundingModel(**model) if model else None)
    world = World(
        rules=rules,
        instruments=instruments,
        tape=_unpack_tape(data["tape"]),
        funding=funding,
        spread=data["spread"],
        liquidity=data["liquidity"],
        state=_unpack_state(data["state"]),
    )
    return world, data["account"]


def _unpack_state(data: dict[str, Any]) -> State:
    orders = {key: Order(**part) for key, part in data["orders"].items()}
    accounts = {}
    for name, part in data["accounts"].items():
        positions = {key: Position(**one) for key, one in part.pop("positions").items()}
        accounts[name] = Account(**part, positions=positions)
    return State(
        row=data["row"],
        now=data["now"],
        prices={symbol: Prices(**part) for symbol, part in data["prices"].items()},
        accounts=accounts,
        pots=data["pots"],
        flows=data["flows"],
        orders=orders,
        working={key: orders[key] for key in data["working"]},
        client_ids=data["client_ids"],
        trades=[Trade(**part) for part in data["trades"]],
        postings=[Posting(**part) for part in data["postings"]],
        events=[Event(**part) for part in data["events"]],
        liquidations=[Liquidation(**part) for part in data["liquidations"]],
        rates={s: [(int(t), r) for t, r in pairs] for s, pairs in data["rates"].items()},
        funding_due=data["funding_due"],
    )


def _pack_rules(rules: Rules) -> dict[str, Any]:
    packed = _by_field(rules)
    packed["tiers"] = {
        asset: {
            "bounds": table.bounds,
            "rates": table.maintenance_margin_rates,
            "leverages": table.max_leverages,
            "amounts": table.maintenance_amounts,
        }
        for asset, table in rules.tiers.items()
    }
    return packed


def _unpack_rules(data: dict[str, Any]) -> Rules:
    tables = {
        asset: TierTable(
            part["bounds"],
            part["rates"],
            part["leverages"],
            part["amounts"],
        )
        for asset, part in data.pop("tiers").items()
    }
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    return Rules(**given, tiers=tables)


def _pack_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    raw = zlib.compress(np.ascontiguousarray(array).tobytes(), 6)
    return {
        "type": array.dtype.str,
        "shape": array.shape,
        "data": base64.b64encode(raw).decode("ascii"),
    }


def _unpack_array(data: dict[str, Any]) -> np.ndarray[Any, Any]:
    raw = zlib.decompress(base64.b64decode(data["data"]))
    return np.frombuffer(raw, dtype=np.dtype(data["type"])).reshape(data["shape"]).copy()


def _pack_tape(tape: Tape) -> dict[str, Any]:
    tracks = {}
    for symbol, track in tape.tracks.items():
        packed: dict[str, Any] = {
            name: _pack_array(getattr(track, name))
            for name in ("last", "is_open", "is_joined", "bar")
        }
        for name in ("mark", "index"):
            array = getattr(track, name)
            packed[name] = None if array is track.last else _pack_array(array)
        bars = track.bars
        packed["bars"] = {
            "time": _pack_array(bars.time),
            "prices": _pack_array(bars.prices),
            "volume": _pack_array(bars.volume),
            "length": bars.length,
        }
        tracks[symbol] = packed
    return {"time": _pack_array(tape.time), "length": tape.length, "tracks": tracks}


def _unpack_tape(data: dict[str, Any]) -> Tape:
    tracks = {}
    for symbol, part in data["tracks"].items():
        last = _unpack_array(part["last"])
        bars = part["bars"]
        tracks[symbol] = Track(
            last=last,
            mark=last if part["mark"] is None else _unpack_array(part["mark"]),
            index=last if part["index"] is None else _unpack_array(part["index"]),
            is_open=_unpack_array(part["is_open"]),
            is_joined=_unpack_array(part["is_joined"]),
            bar=_unpack_array(part["bar"]),
            bars=Bars(
                _unpack_array(bars["time"]),
                _unpack_array(bars["prices"]),
                _unpack_array(bars["volume"]),
                bars["length"],
            ),
        )
    return Tape(_unpack_array(data["time"]), tracks, data["length"])
