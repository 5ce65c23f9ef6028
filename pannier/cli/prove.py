"""``pannier prove`` and ``check-proof``: showing one entry to somebody who has no ledger."""

import sys
from hashlib import sha256
from itertools import islice
from pathlib import Path

import click

from ledger import views
from ledger.blob import CHUNK_BYTES
from ledger.entry import leaf_bytes
from ledger.errors import LedgerError
from ledger.file_payload import FilePayload
from ledger.genesis import Term
from ledger.lazy_dataclass import dataclass
from ledger.members import members
from ledger.merkle import leaf_hash
from ledger.proof import MAX_PROOF_BYTES, Proof
from ledger.proof import prove as prove_entry
from ledger.store import Store
from pannier.cli.identity import read_card
from pannier.cli.session import (
    choose_ledger,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
    progress,
    said_text,
    say,
    stdin_bytes,
)
from pannier.errors import PannierError, UsageError
from pannier.files import chunk_spans
from pannier.said import Said, said_by
from pannier.times import time_text


@click.command()
@click.argument("thing")
@click.option(
    "--entry",
    type=click.IntRange(1, sys.maxsize),
    metavar="N",
    help="Line N of `pannier log THING`; otherwise what it is now.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to; otherwise ID.proof, in this folder.",
)
@ledger_option
@home_option
def prove(
    thing: str, entry: int | None, output: Path | None, ledger: str | None, home: str | None
) -> None:
    """Write a file by which anybody can check what was said about a THING, and who signed it.

    \b
    Example:  pannier prove field/3 -o field-3.proof
    The file discloses that one entry, the name of the ledger and the cards of its first admins,
    and nothing else of what is in the ledger. `pannier check-proof FILE` checks it anywhere.
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        placed = _entry(store, thing, entry)
        card = members(store).card(placed.log.author)
        if card is None:
            raise PannierError(f"the card of who wrote about {thing} is not in this ledger")
        proof = prove_entry(store, placed.log, placed.number, card)
        proof.verify()
    path = output or Path(f"{leaf_hash(leaf_bytes(proof.entry)).hex()[:16]}.proof")
    try:
        with path.open("xb") as file:
            file.write(proof.to_bytes())
    except FileExistsError as error:
        raise UsageError(f"{path} exists already: choose a new name with -o") from error
    say(f"{path} proves that {card.name} ({card.fingerprint}) signed this about {thing}.")


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--card", metavar="CARD", help="The author's card, as you have it: text or file.")
@click.option(
    "--content",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of a proof of a file: whether this is that file.",
)
@json_option
def check_proof(file: str, card: str | None, content: Path | None, as_json: bool) -> None:
    """Check a proof, and say what it proves and what it does not. Needs no node.

    \b
    Examples:  pannier check-proof field-3.proof --card farm.card
               pannier check-proof - < field-3.proof
               pannier check-proof contract.proof --content contract.txt
    Without --card, compare the fingerprint with the one that you know of the author.
    docs/proofs.md says how to check a proof without pannier.
    """
    known = None if card is None else read_card(card)
    try:
        proof = Proof.from_bytes(_content(file))
    except LedgerError as error:
        what = "standard input" if file == "-" else file
        raise PannierError(f"{what} is no proof, or was altered: {error}") from error
    proof.verify(known)
    said = said_by(proof.genesis, proof.card.author, proof.entry, None)
    if content is not None:
        _check_content(content, said)
    checked = _Checked(is_card_known=known is not None, content=content)
    if as_json:
        print_json(_proof_json(proof, said, checked))
        return
    for line in (*_proven(proof, said, checked), *_unproven(proof, said, checked)):
        click.echo(
            "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
        )


def _entry(store: Store, thing: str, number: int | None) -> views.Placed:
    """Return the entry that is meant.

    Raises:
        UsageError: there is none, or which of several must be said.
    """
    if number is not None:
        found = next(islice(views.history(store, thing), number - 1, None), None)
        if found is None:
            raise UsageError(f"`pannier log {thing}` has no line {number}")
        return found
    heads = views.heads(store, thing)
    if not heads:
        raise UsageError(f"nothing is known of {thing}: `pannier things` lists what there is")
    if len(heads) > 1:
        several = "deletions" if views.is_gone(heads) else "versions in conflict"
        raise UsageError(
            f"{thing} has {len(heads)} {several}: say --entry with the line of "
            f"`pannier log {thing}` that you mean"
        )
    return heads[0]


def _content(file: str) -> bytes:
    """Return what is in *file*, as far as a proof may reach.

    Raises:
        UsageError: it is standard input, and that is closed.
        OSError: it cannot be read.
    """
    if file == "-":
        return stdin_bytes().read(MAX_PROOF_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(MAX_PROOF_BYTES + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What a proof was compared with, beside itself.

    Attributes:
        is_card_known: Whether the card of its author was given.
        content: The file that is what it says; None if none was given.
    """

    is_card_known: bool
    content: Path | None


def _check_content(path: Path, said: Said) -> None:
    """Compare a file with the one that an entry is.

    Raises:
        UsageError: the entry is no file.
        PannierError: it is another file.
        OSError: it cannot be read.
    """
    file = said.file
    if file is None:
        raise UsageError("this is no proof of a file: leave --content out")
    parts = zip(chunk_spans(file.size), file.digests, strict=True)
    with path.open("rb") as opened:
        for (offset, size), digest in progress(parts, "Hashing", len(file.digests)):
            if sha256(opened.read(size)).digest() != digest:
                where = f"bytes {offset:,} to {offset + size - 1:,} are others, or not there"
                raise PannierError(f"{path} is not the file that this proves: {where}")
        if opened.read(1):
            raise PannierError(
                f"{path} is not the file that this proves: it is longer than {file.size:,} bytes"
            )


def _content_lines(file: FilePayload) -> list[str]:
    """Return which contents a file has, by their digests; no more of these than people look at."""
    digests = [digest.hex() for digest in file.digests[:_MOST_DIGESTS]]
    if not digests:
        return ["  content      none: it is empty"]
    if len(file.digests) == 1:
        return [f"  content      SHA-256 {digests[0]}"]
    more = len(file.digests) - len(digests)
    return [
        f"  content      SHA-256 of each {CHUNK_BYTES:,} bytes, the last ones of what is left:",
        *(f"               {one}" for one in digests),
        *([f"               and {more:,} more: --json shows them all"] if more else []),
    ]


def _proven(proof: Proof, said: Said, checked: _Checked) -> list[str]:
    entry, card, size = proof.entry, proof.card, proof.checkpoint.size
    second = " and ML-DSA-44" if proof.checkpoint.mldsa44 else ""
    return [
        f"Proven: {card.name} signed this entry, under Ed25519{second}.",
        f"  fingerprint  {card.fingerprint}",
        f"  ledger       {proof.genesis.name} ({proof.genesis.ledger_id.hex()})",
        f"  thing        {entry.thing}",
        *([f"  kind         {entry.kind}"] if entry.kind else []),
        f"  {_ACTIONS.get(entry.action, f'action {entry.action}'):11}  {said_text(said)}",
        *(_content_lines(said.file) if said.file is not None else []),
        *([f"  which are    those of {checked.content}"] if checked.content is not None else []),
        f"  place        entry {proof.number} of log {proof.incarnation.hex()}, among the first "
        f"{plural(size, 'entry')}, all signed",
    ]


def _unproven(proof: Proof, said: Said, checked: _Checked) -> list[str]:
    card = proof.card
    lines = [
        "Not proven:",
        f"  the time: {time_text(proof.entry.time_us)} UTC is the word of {card.name}",
        f"  that {card.name} said nothing else about it, earlier, later or in another log",
    ]
    if said.device is not None:
        lines.append(f"  that {said.device} said it: this is the word of {card.name}")
    if not _is_first_admin(proof):
        lines.append(f"  that {card.name} may write in this ledger: its first admins are others")
    if said.file is not None and checked.content is None:
        lines.append("  which file of yours this is: compare the digests, or say --content")
    if not checked.is_card_known:
        lines.append("  who holds that key: compare the fingerprint, or say --card")
    return lines


def _is_first_admin(proof: Proof) -> bool:
    return any(one.author == proof.card.author for one in proof.genesis.admins)


_MOST_DIGESTS = 16  # on the screen: those of 16 MiB
_ACTIONS = {0: "said", 1: "deleted", 2: "granted", 3: "revoked", 4: "closed"}


def _proof_json(proof: Proof, said: Said, checked: _Checked) -> dict[str, object]:
    entry = proof.entry
    return {
        "ledger": proof.genesis.ledger_id.hex(),
        "ledger_name": proof.genesis.name,
        "centralized": Term.CENTRALIZED in proof.genesis.terms,
        "by": proof.card.name,
        "author": proof.card.author.hex(),
        "fingerprint": proof.card.fingerprint,
        "card_known": checked.is_card_known,
        "content_known": checked.content is not None,
        "first_admin": _is_first_admin(proof),
        "incarnation": proof.incarnation.hex(),
        "number": proof.number,
        "size": proof.checkpoint.size,
        "root": proof.checkpoint.root.hex(),
        "post_quantum": proof.checkpoint.mldsa44 is not None,
        "thing": entry.thing,
        "kind": entry.kind,
        "action": entry.action,
        "data": said.value,
        "file": said.file_json(),
        "device": said.device,
        "sealed": said.is_sealed,
        "readable": not said.obstacle,
        "time_unproven": entry.time_us,
    }
