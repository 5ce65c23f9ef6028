"""What witnesses say of a log: cosignatures over its checkpoints (docs/format.md 3.8). Pure.

Who countersigns a checkpoint says: I hold this. Cosignatures that are carried about let two people
who never meet find out that an author showed them two histories.

Source: C2SP tlog-cosignature v1 (Ed25519).
"""

from collections.abc import Iterable, Sequence
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import cbor, ed25519
from ledger.errors import MalformedError
from ledger.lazy_dataclass import dataclass
from ledger.note import Checkpoint, checkpoint_text

MAX_WITNESSES = 16
"""Of one log, and so many of its checkpoints are kept at most."""

_MAX_WITNESSED_BYTES = MAX_WITNESSES * (1 << 12)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One witness's signature over a checkpoint; nothing is believed before `verify`.

    Attributes:
        witness: The author key of the witness, 32 bytes.
        time_seconds: When it signed, seconds since 1970 UTC, as it says.
        signature: Ed25519 over the `cosigned_text`, 64 bytes.
    """

    witness: bytes
    time_seconds: int
    signature: bytes

    def verify(self, log_origin: str, checkpoint: Checkpoint) -> None:
        """Check that the witness signed *checkpoint* for the log named *log_origin*.

        Raises:
            UnverifiedError: it did not.
        """
        text = cosigned_text(log_origin, checkpoint, self.time_seconds)
        ed25519.verify(self.witness, text, self.signature)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint and who countersigned it.

    Attributes:
        checkpoint: Signed by the author of the log.
        cosignatures: Ascending by witness, none twice, at most `MAX_WITNESSES`; maybe none.
    """

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...] = ()

    def to_cbor(self) -> list[object]:
        """Return it as it is encoded; `from_cbor` is the inverse."""
        signed = [[one.witness, one.time_seconds, one.signature] for one in self.cosignatures]
        return [self.checkpoint.to_cbor(), signed]

    @classmethod
    def from_cbor(cls, checkpoint: object, cosignatures: object) -> Self:
        """Return what the two decoded items of a `to_cbor` say.

        Raises:
            MalformedError: they are not that.
        """
        signed = tuple(_cosignature(item) for item in cbor.as_list(cosignatures))
        names = [one.witness for one in signed]
        if len(names) > MAX_WITNESSES or names != sorted(set(names)):
            raise MalformedError(f"at most {MAX_WITNESSES} witnesses, ascending, each once")
        return cls(Checkpoint.from_cbor(checkpoint), signed)


def cosigned_text(log_origin: str, checkpoint: Checkpoint, time_seconds: int) -> bytes:
    """Return what a witness signs: two lines of its own, then what the author signed."""
    head = f"cosignature/v1\ntime {time_seconds}\n".encode()
    return head + checkpoint_text(log_origin, checkpoint.size, checkpoint.root)


def cosign(
    key: Ed25519PrivateKey, log_origin: str, checkpoint: Checkpoint, time_seconds: int
) -> Cosignature:
    """Return the signature of a witness, who vouches that it holds what it signs.

    Args:
        key: Of the witness.
        log_origin: Names the log.
        checkpoint: Of the log, verified.
        time_seconds: Now; never below 0.
    """
    signature = key.sign(cosigned_text(log_origin, checkpoint, time_seconds))
    return Cosignature(key.public_key().public_bytes_raw(), time_seconds, signature)


def gather(known: Iterable[Witnessed], heard: Witnessed) -> tuple[Witnessed, ...]:
    """Return what is worth keeping of one log: of each witness the newest that it signed.

    A checkpoint that no witness stands behind is kept only if it is the newest of all.

    Args:
        known: As an earlier call returned it; nothing at first.
        heard: What came.

    Returns:
        At most `MAX_WITNESSES`, ascending by size and root, with as many cosignatures together.
    """
    checkpoints: dict[tuple[int, bytes], Checkpoint] = {}
    newest: dict[bytes, tuple[tuple[int, bytes], Cosignature]] = {}
    for one in (*known, heard):
        place = (one.checkpoint.size, one.checkpoint.root)
        checkpoints.setdefault(place, one.checkpoint)
        for cosignature in one.cosignatures:
            was = newest.get(cosignature.witness)
            if was is None or (was[0], was[1].time_seconds) < (place, cosignature.time_seconds):
                newest[cosignature.witness] = (place, cosignature)
    kept = sorted(newest.values(), key=lambda one: (one[0], one[1].witness))[-MAX_WITNESSES:]
    top = max(checkpoints)
    places = sorted({top} | {place for place, _ in kept})[-MAX_WITNESSES:]
    return tuple(
        _at(checkpoints[place], [one for at, one in kept if at == place]) for place in places
    )


def witnessed_to_bytes(known: Sequence[Witnessed]) -> bytes:
    """Return what is kept of one log as one CBOR item; `witnessed_from_bytes` is the inverse."""
    return cbor.encode([one.to_cbor() for one in known])


def witnessed_from_bytes(data: bytes) -> tuple[Witnessed, ...]:
    """Return what is kept of one log.

    Raises:
        MalformedError: *data* is not that.
    """
    items = cbor.as_list(cbor.decode(data, limit_bytes=_MAX_WITNESSED_BYTES))
    return tuple(Witnessed.from_cbor(*cbor.as_list(item, 2)) for item in items)


def _at(checkpoint: Checkpoint, cosignatures: Sequence[Cosignature]) -> Witnessed:
    return Witnessed(checkpoint, tuple(sorted(cosignatures, key=lambda one: one.witness)))


def _cosignature(value: object) -> Cosignature:
    witness, time_seconds, signature = cbor.as_list(value, 3)
    return Cosignature(
        cbor.as_bytes(witness, ed25519.KEY_BYTES),
        cbor.as_uint(time_seconds),
        cbor.as_bytes(signature, ed25519.SIGNATURE_BYTES),
    )
