"""Ledgers that a name and a passphrase make (docs/format.md section 3.7). No I/O.

Everything follows from the two: the keys of the only admin, the genesis, and with it the id. So
people who agreed on them need no other word to each other. Who guesses the passphrase is a member
as well; what one guess costs is that of `KeyStretch`.

Source: Argon2id, RFC 9106, with the parameters of its section 4 (second recommended option).
"""

import unicodedata
from dataclasses import field
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.algorithm import Algorithm
from ledger.card import Card, check_name
from ledger.epochs import Epoch
from ledger.genesis import Genesis, Term
from ledger.kdf import derive
from ledger.keys import KeyStretch
from ledger.lazy_dataclass import dataclass

NETWORK_KEY = "network key"
"""Where a ledger file keeps that key, sealed."""

NETWORK_KEY_LABEL = b"network key\0"
"""What it is sealed as."""

_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseLedger:
    """What a name and a passphrase give.

    Attributes:
        genesis: Its only admin is the key below; made at time 0.
        admin: Signs the grants by which nodes make themselves members.
        network_key: 32 bytes; all that anybody needs to read what members send to all.
    """

    genesis: Genesis
    admin: Ed25519PrivateKey = field(repr=False)
    network_key: bytes = field(repr=False)

    @classmethod
    def derive(cls, name: str, passphrase: str, stretch: KeyStretch | None = None) -> Self:
        """Return the ledger; the same on every node.

        Both texts are taken in Unicode's normal form C: keyboards differ in how they write an
        accented letter.

        Args:
            name: Of the ledger.
            passphrase: What the members agreed on.
            stretch: The cost of a guess; part of what is agreed on.

        Raises:
            MalformedError: *name* is not a name.
        """
        name = check_name(unicodedata.normalize("NFC", name), "ledger name")
        salt = sha256(b"pannier passphrase ledger 1\0" + name.encode()).digest()
        stretched = (stretch or KeyStretch()).derive(unicodedata.normalize("NFC", passphrase), salt)
        admin = Ed25519PrivateKey.from_private_bytes(
            derive(stretched, b"pannier passphrase admin 1\0")
        )
        hpke = X25519PrivateKey.from_private_bytes(
            derive(stretched, b"pannier passphrase hpke 1\0")
        )
        public = hpke.public_key().public_bytes_raw()
        genesis = Genesis(
            name=name,
            admins=(Card.sign(admin, name=name, keys=((int(Algorithm.X25519), public),)),),
            time_us=0,
            nonce=derive(stretched, b"pannier passphrase nonce 1\0")[:_NONCE_BYTES],
            terms=frozenset({Term.PASSPHRASE}),
        )
        return cls(
            genesis=genesis,
            admin=admin,
            network_key=derive(stretched, b"pannier passphrase network 1\0"),
        )


def network_epoch(network_key: bytes) -> Epoch:
    """Return the one epoch of a passphrase ledger: all have its key, and nobody can be removed."""
    return Epoch(key=network_key, depth=0, after=())
