"""A member ends its log at a branch that nobody gets, and sends pieces of two others."""

from pathlib import Path

import pytest

from bundler.entry_encodings import encode_entries
from bundler.log_section import LogSection
from bundler.sections import encode_section
from ledger.close import close_payload
from ledger.data import payload_from_value
from ledger.entries import Entries
from ledger.entry import INCARNATIONS_THING, Action, Entry, leaf_bytes, payload_digest
from ledger.log import LogName, log_origin
from ledger.merkle import EMPTY_FRONTIER, extend, leaf_hash
from ledger.note import sign_checkpoint
from ledger.seeds import root_cover, salts
from ledger.views import heads
from pannier import judging
from pannier.import_report import Outcome
from tests.sim import attacks
from tests.sim.world import World

NAMES = ("ada", "bea", "mal")
COVER = root_cover(bytes(16))


def made(payloads: list[bytes], action: Action, thing: str) -> list[Entry]:
    return [
        Entry(thing, "", int(action), 1, (), payload_digest(salt, payload), payload)
        for salt, payload in zip(salts(COVER, 0, len(payloads)), payloads, strict=True)
    ]


def section(world: World, log: LogName, entries: list[Entry], first: int, end: int) -> LogSection:
    """Return entries *first* up to *end* of a branch as its author would say them."""
    ledger_id = world.store("ada").ledger_id
    grown = extend(EMPTY_FRONTIER, [leaf_hash(leaf_bytes(one)) for one in entries[:end]]).frontier
    origin = log_origin(ledger_id, log)
    encoding, encoded, _ = encode_entries(Entries.of(entries[first:end]))
    return LogSection(
        ledger=ledger_id,
        author=log.author,
        incarnation=log.incarnation,
        first=first,
        cover=COVER,
        checkpoint=sign_checkpoint(world["mal"].keys.signer, origin, end, grown.root()),
        encoding=encoding,
        entries=encoded,
    )


def leave(world: World, sections: list[LogSection]) -> None:
    encoded = [encode_section(one) for one in sections]
    attacks.leave(world, "mal", "bea", attacks.sealed_by(world["mal"], world["bea"], encoded))


def test_branches_that_take_each_others_place_end_no_import_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    retried = judging.retry

    def retry(*given: object) -> object:
        nonlocal tries
        tries += 1
        assert tries < 1000
        return retried(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(judging, "retry", retry)
    with World(tmp_path, NAMES) as world:
        world.found(*NAMES)
        world.rounds(NAMES, 3)
        author = world["mal"].card.author
        old, new = LogName(author, b"old log."), LogName(author, b"new log.")
        branches = {
            name: made([payload_from_value(f"{name}{n}") for n in range(9)], Action.PUT, "well")
            for name in ("none", "one", "other")
        }
        end = section(world, old, branches["none"], 0, 8).checkpoint
        close = made([close_payload(old, end)], Action.CLOSE, INCARNATIONS_THING)
        leave(world, [section(world, new, close, 0, 1)])
        world.exchange("bea")
        for name in ("one", "other"):
            entries = branches[name]
            leave(world, [section(world, old, entries, 0, 1), section(world, old, entries, 3, 4)])
        world.put("ada", "pump", "all the same")
        world.exchange("ada")
        outcomes = world.exchange("bea").report.outcomes.values()
        assert list(outcomes).count(Outcome.HELD) == 2
        assert tries > 4
        assert [one.log.author for one in heads(world.store("bea"), "pump")] == [
            world["ada"].card.author
        ]
