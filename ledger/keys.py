"""A node's private keys, and the file that holds them (docs/format.md section 9.1). No I/O.

Source: Argon2id, RFC 9106, with the parameters of its section 4 (second recommended option);
AES-256-GCM-SIV, RFC 8452.
"""

from collections.abc import Callable
from dataclasses import field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ledger import cbor
from ledger.algorithm import Algorithm
from ledger.card import Card
from ledger.errors import MalformedError, WrongPassphraseError
from ledger.hpke import HYBRID_SEED_BYTES, HpkeUnwrapper, HybridPrivateKey
from ledger.lazy_dataclass import dataclass
from ledger.signing import Signer

Entropy = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""

_MAX_FILE_BYTES = 4096
_LABEL = b"pannier keys 1\0"
_MLDSA44_SEED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStretch:
    """Cost of trying one passphrase: Argon2id parameters.

    Attributes:
        passes: Iterations, 1..16.
        lanes: Threads, 1..16.
        memory_kib: KiB, 8*lanes..1 GiB; bounded, since the file names it before we trust the file.
    """

    passes: int = 3
    lanes: int = 4
    memory_kib: int = 64 * 1024

    def check(self) -> None:
        """Raise `MalformedError` unless the cost is what we would have asked for, or near it."""
        if not (
            1 <= self.passes <= 16
            and 1 <= self.lanes <= 16
            and 8 * self.lanes <= self.memory_kib <= 1 << 20
        ):
            raise MalformedError("the file asks for more work than is sensible; it is damaged")

    def derive(self, passphrase: str, salt: bytes) -> bytes:
        """Return the 32-byte key of *passphrase*."""
        kdf = Argon2id(
            salt=salt,
            length=32,
            iterations=self.passes,
            lanes=self.lanes,
            memory_cost=self.memory_kib,
        )
        # What an environment holds that is no Unicode is a passphrase like any other.
        return kdf.derive(passphrase.encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PostQuantumKeys:
    """The private keys of a node that a quantum computer does not help against.

    Attributes:
        hybrid: MLKEM768-X25519; what is sealed for the node is sealed under it alone.
        mldsa44: Signs each checkpoint a second time.
    """

    hybrid: HybridPrivateKey
    mldsa44: MLDSA44PrivateKey

    @classmethod
    def from_seeds(cls, hybrid: bytes, mldsa44: bytes) -> Self:
        """Return the keys that are made of these seeds, 32 bytes each."""
        return cls(
            hybrid=HybridPrivateKey(hybrid), mldsa44=MLDSA44PrivateKey.from_seed_bytes(mldsa44)
        )

    def seeds(self) -> list[bytes]:
        """Return what `from_seeds` takes."""
        return [self.hybrid.seed, self.mldsa44.private_bytes_raw()]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKeys:
    """The private keys of a node.

    Attributes:
        name: What the node calls itself.
        signing: Ed25519; its public half is the author of what the node writes.
        x25519_secret: 32 bytes of which `x25519` is made: that takes 4 ms the first time, and most
            commands need none.
        post_quantum: More keys, of a node that was made with them.
    """

    name: str
    signing: Ed25519PrivateKey
    x25519_secret: bytes = field(repr=False)
    post_quantum: PostQuantumKeys | None = None

    @classmethod
    def generate(cls, name: str, entropy: Entropy, *, post_quantum: bool = False) -> Self:
        """Make new keys out of 64 bytes of *entropy*, or 128 with those of *post_quantum*."""
        signing = Ed25519PrivateKey.from_private_bytes(entropy(32))
        x25519_secret = entropy(32)
        more = None
        if post_quantum:
            more = PostQuantumKeys.from_seeds(
                entropy(HYBRID_SEED_BYTES), entropy(_MLDSA44_SEED_BYTES)
            )
        return cls(name=name, signing=signing, x25519_secret=x25519_secret, post_quantum=more)

    @property
    def x25519(self) -> X25519PrivateKey:
        """The key of hints in names of files, and the HPKE key of a node without others."""
        return X25519PrivateKey.from_private_bytes(self.x25519_secret)

    @property
    def author(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return self.signing.public_key().public_bytes_raw()

    @property
    def card(self) -> Card:
        """The card to give to peers (the same bytes each time: Ed25519 is deterministic)."""
        keys = {Algorithm.X25519: self.x25519.public_key().public_bytes_raw()}
        if self.post_quantum is not None:
            keys[Algorithm.MLDSA44] = self.post_quantum.mldsa44.public_key().public_bytes_raw()
            keys[Algorithm.MLKEM768_X25519] = self.post_quantum.hybrid.public
        numbered = tuple(sorted((int(algorithm), key) for algorithm, key in keys.items()))
        return Card.sign(self.signing, name=self.name, keys=numbered)

    @property
    def signer(self) -> Signer:
        """What signs the node's checkpoints."""
        return Signer(self.signing, self.post_quantum.mldsa44 if self.post_quantum else None)

    def unwrapper(self) -> HpkeUnwrapper:
        """Return what opens stanzas for this node: those of its strongest algorithm, no other."""
        return HpkeUnwrapper(self.post_quantum.hybrid if self.post_quantum else self.x25519)


def keys_to_file(
    keys: NodeKeys, passphrase: str | None, entropy: Entropy, stretch: KeyStretch | None = None
) -> bytes:
    """Return the content of the key file; without a *passphrase* whoever reads it has the keys."""
    private = [keys.signing.private_bytes_raw(), keys.x25519_secret]
    more = keys.post_quantum.seeds() if keys.post_quantum else []
    secret = cbor.encode([keys.name, *private, *more])
    if passphrase is None:
        return cbor.encode([1, secret])
    stretch = stretch or KeyStretch()
    salt, nonce = entropy(16), entropy(12)
    parameters = [stretch.passes, stretch.lanes, stretch.memory_kib]
    key = stretch.derive(passphrase, salt)
    sealed = AESGCMSIV(key).encrypt(nonce, secret, _LABEL + cbor.encode(parameters))
    return cbor.encode([1, parameters, salt, nonce, sealed])


def needs_passphrase(data: bytes) -> bool:
    """Return whether the key file *data* is under a passphrase.

    Raises:
        MalformedError: *data* is not a key file.
    """
    return len(_file_fields(data)) == 5


def keys_from_file(data: bytes, passphrase: str | None) -> NodeKeys:
    """Open the key file.

    Raises:
        NewerError: *data* is of a later version.
        MalformedError: it is not a key file.
        WrongPassphraseError: *passphrase* is missing or is not the one.
    """
    fields = _file_fields(data)
    if len(fields) == 2:
        return _keys(cbor.as_bytes(fields[1]))
    if passphrase is None:
        raise WrongPassphraseError("the keys are under a passphrase: set PANNIER_PASSPHRASE")
    _, parameters, salt, nonce, sealed = fields
    numbers = [cbor.as_uint(item) for item in cbor.as_list(parameters, 3)]
    stretch = KeyStretch(passes=numbers[0], lanes=numbers[1], memory_kib=numbers[2])
    stretch.check()
    key = stretch.derive(passphrase, cbor.as_bytes(salt, 16))
    try:
        secret = AESGCMSIV(key).decrypt(
            cbor.as_bytes(nonce, 12), cbor.as_bytes(sealed), _LABEL + cbor.encode(numbers)
        )
    except InvalidTag as error:
        raise WrongPassphraseError("wrong passphrase (or a damaged key file)") from error
    return _keys(secret)


def _file_fields(data: bytes) -> list[object]:
    fields = list(cbor.as_list(cbor.decode(data, limit_bytes=_MAX_FILE_BYTES)))
    cbor.check_version(fields, "a key file")
    return list(cbor.as_list(fields, 2, 5))


def _keys(secret: bytes) -> NodeKeys:
    fields = cbor.as_list(cbor.decode(secret, limit_bytes=_MAX_FILE_BYTES), 3, 5)
    name, signing, x25519, *seeds = fields
    return NodeKeys(
        name=cbor.as_text(name),
        signing=Ed25519PrivateKey.from_private_bytes(cbor.as_bytes(signing, 32)),
        x25519_secret=cbor.as_bytes(x25519, 32),
        post_quantum=_post_quantum(*seeds) if seeds else None,
    )


def _post_quantum(hybrid: object, mldsa44: object) -> PostQuantumKeys:
    return PostQuantumKeys.from_seeds(
        cbor.as_bytes(hybrid, HYBRID_SEED_BYTES), cbor.as_bytes(mldsa44, _MLDSA44_SEED_BYTES)
    )
