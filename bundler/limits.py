"""The bounds on all that comes from others, each checked before memory is taken."""

from ledger.lazy_dataclass import dataclass

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a reader accepts at most; the defaults are those of docs/format.md.

    Smaller values make a node that takes less; greater ones do not follow the format.

    Attributes:
        bundle_bytes: A sealed bundle: two of them and their parts fit the memory of a phone.
        section_bytes: A decoded section: a full log section is 8 MiB of entries (section 3.3) and
            as much again for columns and slack, doubled.
        small_section_bytes: A decoded section other than log: they carry thousands of logs or ids.
            CBOR may take 60 times its size as Python values, which is bounded by this.
        sections: Sections of one bundle.
        decoded_bytes: All sections of a bundle together, one after another: bounds the time that a
            member's bomb takes, not the memory. 65 times the largest bundle.
        window_bytes: Window of a zstd frame; never more than a section is useful.
        recipients: Stanzas of a bundle; each costs a reader one trial decryption.
        stanza_bytes: One of them; MLKEM768-X25519 needs 1,168.
        entries: Rows of a log section, as between two checkpoints (section 3.3).
        payload_bytes: Payload of one entry (section 3.1).
        payloads_bytes: Payloads of one log section with their keys put back, as between two
            checkpoints (section 3.3): each byte may be an item that takes half a microsecond.
        cells: Of one log section in columns: each takes up to 60 bytes of memory.
        shapes_bytes: Shapes of one log section: their keys become Python objects, all at once.
        pools: Sets of (transfer length, symbol size) that a joiner follows for one bundle id. The
            genuine one is one; the others are what forgers may have at a bundle of memory each.
        repair_symbols: Highest repair symbol of a block that is made: the library makes each from
            the first on again.
        scan_factor: Bytes that may be checked in search of the next fragment after a damaged one,
            as a multiple of the file.
    """

    bundle_bytes: int = 16 * MIB
    section_bytes: int = 32 * MIB
    small_section_bytes: int = 1 * MIB
    sections: int = 4096
    decoded_bytes: int = 1024 * MIB
    window_bytes: int = 32 * MIB
    recipients: int = 64
    stanza_bytes: int = 2 * KIB
    entries: int = 65_536
    payload_bytes: int = 1 * MIB
    payloads_bytes: int = 8 * MIB
    cells: int = 1 << 20
    shapes_bytes: int = 1 * MIB
    pools: int = 4
    repair_symbols: int = 65_536
    scan_factor: int = 8


DEFAULT_LIMITS = Limits()
