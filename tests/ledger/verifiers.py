"""What the cases about signatures say of who signed, as a value of the code under test."""

from typing import Any

from ledger.signing import Verifier


def verifier_of(vector: dict[str, Any]) -> Verifier:
    """Return the keys of the author in *vector*; without ``mldsa44`` its card promises none."""
    author = bytes.fromhex(vector["author"])
    if "mldsa44" not in vector:
        return Verifier(author)
    return Verifier(author, frozenset({bytes.fromhex(vector["mldsa44"])}))
