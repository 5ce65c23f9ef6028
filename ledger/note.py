"""Checkpoints: what the author of a log signs (docs/format.md section 3.3).

On the wire a checkpoint is three fields; what is signed is the text of a C2SP tlog-checkpoint, so
that written out by `signed_note` any tool for transparency logs verifies it with `verifier_key`.

Source: C2SP tlog-checkpoint v1, C2SP signed-note v1.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

from ledger import cbor, ed25519
from ledger.errors import OtherCardError
from ledger.lazy_dataclass import dataclass
from ledger.merkle import HASH_BYTES
from ledger.seeds import MAX_ENTRIES
from ledger.signing import MLDSA44_SIGNATURE_BYTES, Signatures, Signer, Verifier

_ED25519_TYPE = b"\x01"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log as its author signed it; nothing is believed before `verify`.

    Attributes:
        size: Entries of the log, 0..2**32 (there are no salts for more).
        root: Root of the tree over their leaves, 32 bytes.
        signature: Ed25519 over the `checkpoint_text`, 64 bytes.
        mldsa44: ML-DSA-44 over the same, 2,420 bytes; None of an author whose card promises none.
    """

    size: int
    root: bytes
    signature: bytes
    mldsa44: bytes | None = None

    def to_cbor(self) -> list[object]:
        """Return the checkpoint as it is encoded; `from_cbor` is the inverse."""
        second = [] if self.mldsa44 is None else [self.mldsa44]
        return [self.size, self.root, self.signature, *second]

    @classmethod
    def from_cbor(cls, value: object) -> "Checkpoint":
        """Return the checkpoint of which *value* is the decoded CBOR.

        Raises:
            MalformedError: it is not one.
        """
        size, root, signature, *second = cbor.as_list(value, 3, 4)
        return cls(
            cbor.as_uint(size, maximum=MAX_ENTRIES),
            cbor.as_bytes(root, HASH_BYTES),
            cbor.as_bytes(signature, ed25519.SIGNATURE_BYTES),
            *(cbor.as_bytes(item, MLDSA44_SIGNATURE_BYTES) for item in second),
        )

    def verify(self, log_origin: str, verifier: Verifier) -> None:
        """Check that an author signed this for the log named *log_origin*.

        Args:
            log_origin: See `origin`.
            verifier: The author's keys, as the ledger knows them (`ledger.card.Card.verifier`).

        Raises:
            OtherCardError: the author signed this, and the second signature that its card promises
                is missing or by another key; or there is one that the card does not promise.
            UnverifiedError: the author did not sign this, or for another log.
        """
        text = checkpoint_text(log_origin, self.size, self.root)
        verifier.verify(text, Signatures(self.signature, self.mldsa44))


def verify_all(checkpoints: Iterable[Checkpoint], log_origin: str, verifier: Verifier) -> None:
    """Check that an author signed each of *checkpoints*; arguments as for `Checkpoint.verify`.

    Raises:
        OtherCardError: the author signed all of them, and a second signature does not fit.
        UnverifiedError: the author did not sign all of them.
    """
    other = None
    for one in checkpoints:
        try:
            one.verify(log_origin, verifier)
        except OtherCardError as error:
            other = error  # the author may not have signed the next one at all
    if other is not None:
        raise other


def origin(ledger_id: bytes, author: bytes, incarnation: bytes) -> str:
    """Return the name of a log in what is signed.

    Args:
        ledger_id: 16 bytes.
        author: 32 bytes.
        incarnation: 8 bytes.
    """
    return f"pannier/{ledger_id.hex()}/{author.hex()}/{incarnation.hex()}"


def checkpoint_text(log_origin: str, size: int, root: bytes) -> bytes:
    """Return what is signed: origin, size and root, a line each."""
    return f"{log_origin}\n{size}\n{b64encode(root).decode()}\n".encode()


def sign_checkpoint(signer: Signer, log_origin: str, size: int, root: bytes) -> Checkpoint:
    """Return the signed head of a log; the caller vouches that it continues what was signed."""
    return Checkpoint(size, root, *signer.sign(checkpoint_text(log_origin, size, root)))


def signed_note(log_origin: str, checkpoint: Checkpoint, author: bytes) -> str:
    """Return *checkpoint* as a signed note, whose key name is the origin.

    Its line is that of Ed25519 alone, which is what tools for such notes know.
    """
    text = checkpoint_text(log_origin, checkpoint.size, checkpoint.root).decode()
    blob = b64encode(_key_id(log_origin, author) + checkpoint.signature).decode()
    return f"{text}\n\N{EM DASH} {log_origin} {blob}\n"


def verifier_key(log_origin: str, author: bytes) -> str:
    """Return the key of a log as tools for signed notes take it (a *vkey*)."""
    key = b64encode(_ED25519_TYPE + author).decode()
    return f"{log_origin}+{_key_id(log_origin, author).hex()}+{key}"


def _key_id(name: str, author: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519_TYPE + author).digest()[:4]
