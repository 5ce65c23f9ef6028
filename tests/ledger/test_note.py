import re
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import cbor
from ledger.errors import MalformedError, UnverifiedError
from ledger.note import (
    Checkpoint,
    checkpoint_text,
    origin,
    sign_checkpoint,
    signed_note,
    verifier_key,
)
from ledger.signing import Signer, Verifier
from tests.ledger.verifiers import verifier_of
from tests.ledger.world import keys_of
from tests.vectors import load

VECTORS = load("note")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}


class Head(NamedTuple):
    origin: str
    size: int
    root: bytes


class NoteError(Exception):
    pass


class NoteVerifier:
    """A verifier of C2SP signed notes, from its text alone: it knows nothing of our code."""

    def __init__(self, vkey: str) -> None:
        match = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)", vkey)
        if match is None:
            raise NoteError("not a verifier key")
        self.name, key_id, key = match.groups()
        self.key_id = bytes.fromhex(key_id)
        kind_and_key = b64decode(key, validate=True)
        if sha256(self.name.encode() + b"\n" + kind_and_key).digest()[:4] != self.key_id:
            raise NoteError("the key id is not that of name and key")
        if kind_and_key[:1] != b"\x01" or len(kind_and_key) != 33:
            raise NoteError("not an Ed25519 key")
        self.key = Ed25519PublicKey.from_public_bytes(kind_and_key[1:])

    def open(self, note: bytes) -> str:
        """Return the text of *note* if one of its signatures is by this key."""
        text, separator, signatures = note.decode().rpartition("\n\n")
        if not separator or any(ord(char) < 0x20 and char != "\n" for char in note.decode()):
            raise NoteError("not a signed note")
        text += "\n"
        if not signatures.endswith("\n"):
            raise NoteError("the last line does not end")
        verified = False
        for line in signatures[:-1].split("\n"):
            match = re.fullmatch("— ([^+\\s]+) ([A-Za-z0-9+/]+=*)", line)
            if match is None:
                raise NoteError("not a signature line")
            blob = b64decode(match[2], validate=True)
            if match[1] == self.name and blob[:4] == self.key_id:
                self._verify(blob[4:], text)
                verified = True
        if not verified:
            raise NoteError("no signature by this key")
        return text

    def _verify(self, signature: bytes, text: str) -> None:
        try:
            self.key.verify(signature, text.encode())
        except InvalidSignature as error:
            raise NoteError("a signature does not verify") from error


def head_of(text: str) -> Head:
    """Parse the text of a C2SP tlog-checkpoint."""
    lines = text.split("\n")
    assert lines.pop() == ""
    name, size, root, *extensions = lines
    assert not extensions
    assert re.fullmatch("0|[1-9][0-9]*", size)
    assert len(b64decode(root, validate=True)) == 32
    return Head(name, int(size), b64decode(root))


# The example of golang.org/x/mod/sumdb/note, whose format signed-note is.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETERS_NOTE = (
    f"{PETERS_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_verifier_of_this_test_takes_the_published_note_and_no_other() -> None:
    verifier = NoteVerifier(PETER)
    assert verifier.open(PETERS_NOTE.encode()) == PETERS_TEXT
    for old, new in (("crypto", "krypto"), ("x08go", "x08gp"), ("— Peter", "— Petra")):
        with pytest.raises(NoteError):
            verifier.open(PETERS_NOTE.replace(old, new).encode())


def test_a_published_verifier_key_is_written_alike() -> None:
    key = b64decode(PETER.split("+", 2)[2])[1:]
    assert verifier_key("PeterNeumann", key) == PETER


def run(vector: dict[str, Any]) -> Checkpoint:
    checkpoint = Checkpoint.from_cbor(cbor.decode(bytes.fromhex(vector["data"]), limit_bytes=9999))
    checkpoint.verify(origin_of(vector), verifier_of(vector))
    return checkpoint


def origin_of(vector: dict[str, Any]) -> str:
    return origin(*(bytes.fromhex(vector[name]) for name in ("ledger", "author", "incarnation")))


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] != "success":
        with pytest.raises(FAILURES[vector["expect"]]):
            run(vector)
        return
    checkpoint, name, author = run(vector), origin_of(vector), bytes.fromhex(vector["author"])
    assert cbor.encode(checkpoint.to_cbor()).hex() == vector["data"]
    assert checkpoint_text(name, checkpoint.size, checkpoint.root).decode() == vector["text"]
    assert signed_note(name, checkpoint, author) == vector["note"]
    assert verifier_key(name, author) == vector["vkey"]
    signer = Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["secret"])))
    again = sign_checkpoint(signer, name, checkpoint.size, checkpoint.root)
    assert again == replace(checkpoint, mldsa44=None)


@given(
    secret=st.binary(min_size=32, max_size=32),
    ledger=st.binary(min_size=16, max_size=16),
    incarnation=st.binary(min_size=8, max_size=8),
    size=st.integers(0, 2**32),
    root=st.binary(min_size=32, max_size=32),
)
def test_a_tool_for_signed_notes_verifies_what_we_sign(
    secret: bytes, ledger: bytes, incarnation: bytes, size: int, root: bytes
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    author = key.public_key().public_bytes_raw()
    name = origin(ledger, author, incarnation)
    checkpoint = sign_checkpoint(Signer(key), name, size, root)
    checkpoint.verify(name, Verifier(author))
    verifier = NoteVerifier(verifier_key(name, author))
    assert verifier.name == name
    note = signed_note(name, checkpoint, author).encode()
    assert head_of(verifier.open(note)) == Head(name, size, root)
    with pytest.raises(NoteError):
        verifier.open(note.replace(f"\n{size}\n".encode(), f"\n{size + 1}\n".encode()))


@given(size=st.integers(0, 2**32), root=st.binary(min_size=32, max_size=32))
@settings(max_examples=20)
def test_the_second_signature_leaves_the_note_as_it_is(size: int, root: bytes) -> None:
    signer = keys_of("pq").signer
    name = origin(bytes(16), signer.verifier.author, bytes(8))
    checkpoint = sign_checkpoint(signer, name, size, root)
    checkpoint.verify(name, signer.verifier)
    assert Checkpoint.from_cbor(checkpoint.to_cbor()) == checkpoint
    author = signer.verifier.author
    assert (
        NoteVerifier(verifier_key(name, author)).open(
            signed_note(name, checkpoint, author).encode()
        )
        == checkpoint_text(name, size, root).decode()
    )


@given(st.recursive(st.integers() | st.binary(max_size=64), st.lists, max_leaves=5))
def test_arbitrary_values_are_a_checkpoint_or_malformed(value: object) -> None:
    try:
        checkpoint = Checkpoint.from_cbor(value)
    except MalformedError:
        return
    assert checkpoint.to_cbor() == value
