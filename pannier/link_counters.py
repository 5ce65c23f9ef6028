"""What running links have counted, in small files of the home, for `pannier status`.

Each file is written whole by the process that runs the link, at most once a second, and read by
anybody. Nothing depends on them: one that is lost or spoiled is as if the link had not run.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pannier.times import time_text

_FOLDER = "links"
_NAME_DIGITS = 16
FRESH_US = 15_000_000
"""A link whose file is older does not run any more: it is written every few seconds."""


def write_counters(home: Path, name: str, counters: Mapping[str, object]) -> None:
    """Keep the *counters* of the link called *name*.

    Raises:
        OSError: the disk said no; the former ones stay.
    """
    folder = home / _FOLDER
    folder.mkdir(exist_ok=True)
    stem = stem_of(name)
    draft = folder / f".{stem}.new"
    draft.write_text(json.dumps({"name": name, **counters}), encoding="utf-8")
    draft.replace(folder / f"{stem}.json")


def stem_of(name: str) -> str:
    """Return what files that belong to the link called *name* are called."""
    # A device that was named on the command line may have bytes in its name that are not UTF-8.
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_NAME_DIGITS]


def read_counters(home: Path) -> list[dict[str, object]]:
    """Return the counters of all links of *home* that ever ran, by name."""
    return sorted(_readable(home / _FOLDER), key=lambda one: str(one["name"]))


def _readable(folder: Path) -> Iterator[dict[str, object]]:
    for path in folder.glob("*.json"):
        try:
            counters = counters_from(path.read_bytes())
        except OSError:
            continue
        if counters is not None:
            yield counters


def counters_from(data: bytes) -> dict[str, object] | None:
    """Return the counters that a file of the content *data* holds; None if it holds none."""
    try:
        counters = json.loads(data)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(counters, dict) and isinstance(counters.get("name"), str)
    return counters if is_ours else None


def link_text(counters: Mapping[str, object], now_us: int) -> str:
    """Return what a link has counted, for people."""
    name, peer = counters["name"], counters.get("peer")
    if counters.get("oneway"):
        return f"{name}, one way: {_one_way_text(counters, now_us)}"
    if counters.get("is_established") and is_running(counters, now_us):
        state = f"{peer} is there since {time_text(_number(counters, 'since_us'))}"
    else:
        seen_us = _number(counters, "seen_us")
        state = f"{peer} was there last {time_text(seen_us)}" if seen_us else f"{peer} never came"
    came, went = _number(counters, "payload_in"), _number(counters, "payload_out")
    again = _number(counters, "resent")
    parts = [f"{name}: {state}", f"{came:,} bytes in", f"{went:,} bytes out"]
    return ", ".join([*parts, f"{again:,} of them again"] if again else parts)


def _one_way_text(counters: Mapping[str, object], now_us: int) -> str:
    updated_us = _number(counters, "updated_us")
    if counters["oneway"] == "sends":
        when = "sends" if is_running(counters, now_us) else f"sent until {time_text(updated_us)}"
        bundles, least, most = (
            _number(counters, key) for key in ("bundles", "rounds_least", "rounds_most")
        )
        rounds = f"{least} to {most}" if least != most else f"{least}"
        what = f"{bundles:,} bundles, {rounds} rounds each" if bundles else "nothing waits"
        went = _number(counters, "bytes_out")
        return f"{when} to {counters.get('peer')}, {what}, {went:,} bytes out"
    seen_us = _number(counters, "seen_us")
    when = f"heard last {time_text(seen_us)}" if seen_us else "heard nothing yet"
    thrown = _number(counters, "forged")
    parts = [when, f"{_number(counters, 'kept'):,} frames kept"]
    return ", ".join([*parts, f"{thrown:,} thrown away"] if thrown else parts)


def is_running(counters: Mapping[str, object], now_us: int) -> bool:
    """Return whether the link runs now, as far as its counters tell."""
    return abs(now_us - _number(counters, "updated_us")) < FRESH_US


def ever_worked(counters: Mapping[str, object]) -> bool:
    """Return whether anybody was ever there, or anything passed."""
    return any(_number(counters, key) for key in ("seen_us", "bundles"))


def _number(counters: Mapping[str, object], key: str) -> int:
    value = counters.get(key)
    return value if isinstance(value, int) else 0
