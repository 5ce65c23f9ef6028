"""How an author ends one of its logs (docs/format.md sections 3.1 and 3.5). No I/O."""

from ledger import cbor
from ledger.errors import MalformedError
from ledger.log import LogName, LogState
from ledger.note import Checkpoint

_MAX_CLOSE_BYTES = 4096


def close_payload(log: LogName, last: Checkpoint) -> bytes:
    """Return the payload of the entry that ends *log* at the checkpoint *last*."""
    return cbor.encode({"checkpoint": last.to_cbor(), "incarnation": log.incarnation})


def close_from_payload(author: bytes, payload: bytes) -> tuple[LogName, Checkpoint]:
    """Return which log of *author* a close ends, and the checkpoint (not verified) where it does.

    Raises:
        MalformedError: *payload* is not that of a close.
    """
    decoded = cbor.decode(payload, limit_bytes=_MAX_CLOSE_BYTES)
    fields = cbor.as_map(decoded, "checkpoint", "incarnation")
    last = Checkpoint.from_cbor(fields["checkpoint"])
    if not last.size:
        raise MalformedError("a close that leaves nothing of a log")
    return LogName(author, cbor.as_bytes(fields["incarnation"], 8)), last


def has_gone_astray(state: LogState) -> bool:
    """Whether *state* may be on another branch than the one at whose end its author closed it.

    It is not yet, or no longer, what the close says, and gives way to whatever differs.
    """
    return state.close is not None and (
        state.size != state.close.size or state.frontier.root() != state.close.root
    )
