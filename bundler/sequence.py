"""Fragments one after another in a file, some of them damaged (docs/format.md section 7).

Source: CBOR sequences, RFC 8742.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bundler.errors import BundleError
from bundler.fragment import HAS_CRC, START, Fragment, Verify
from bundler.limits import DEFAULT_LIMITS, Limits
from ledger.lazy_dataclass import dataclass

# What reading a header that turns out not to be one costs, in bytes checked for the same time.
_CANDIDATE_BYTES = 512
# Enough for a file of two thousand forged fragments, however short, and a genuine one: some 10 ms.
_LEAST_SCAN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFragment:
    """Bytes of a sequence that are not a genuine fragment.

    Attributes:
        offset: Where they begin.
        length: How many there are up to the next fragment.
        reason: What is wrong with the first of them.
    """

    offset: int
    length: int
    reason: BundleError


class Sifted(NamedTuple):
    """What `sift` leaves.

    Attributes:
        genuine: The fragments that are, one after another as they stood; may be empty.
        forged_count: How many were whole and are not, or are of another bundle.
    """

    genuine: bytes
    forged_count: int


def sift(
    data: bytes, bundle_id: bytes, verify: Verify, *, limits: Limits = DEFAULT_LIMITS
) -> Sifted:
    """Return what is left of *data* without all that is not a genuine fragment of one bundle.

    Args:
        data: A sequence of fragments, as it came.
        bundle_id: The bundle that it is said to be of, 8 bytes.
        verify: Accepts the check of a genuine fragment, and no other.
        limits: Bounds on a bundle, and on the work.
    """
    scanner = _Scanner(data, verify, limits)
    parts: list[bytes] = []
    at = misplaced = 0
    while at < len(data):
        try:
            fragment, end = scanner.take(at)
        except BundleError:
            end = scanner.next_fragment(at + 1)
        else:
            if fragment.bundle_id == bundle_id:
                if at == 0 and end == len(data):
                    return Sifted(data, 0)
                parts.append(data[at:end])
            else:
                misplaced += 1
        at = end
    return Sifted(b"".join(parts), scanner.forged_count + misplaced)


def parse_sequence(
    data: bytes, verify: Verify = HAS_CRC, *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Fragment | BadFragment]:
    """Yield the fragments that stand one after another in *data*, and what is not one.

    After damage the next fragment is the next place that looks like one and whose check fits. A
    forger may make many such places: when as much has been checked in vain as *limits* allow, the
    rest is given up as one `BadFragment`.

    Returns:
        Values that cover all of *data* without gap or overlap.
    """
    scanner = _Scanner(data, verify, limits)
    at = 0
    while at < len(data):
        try:
            fragment, end = scanner.take(at)
        except BundleError as error:
            end = scanner.next_fragment(at + 1)
            yield BadFragment(offset=at, length=end - at, reason=error)
        else:
            yield fragment
        at = end


class _Scanner:
    """Looks for fragments in one file and stops when that has cost too much."""

    def __init__(self, data: bytes, verify: Verify, limits: Limits) -> None:
        self._data = data
        self._view = memoryview(data)
        self._verify = verify
        self._limits = limits
        self._budget_bytes = _LEAST_SCAN_BYTES + limits.scan_factor * len(data)
        self.forged_count = 0

    def take(self, at: int) -> tuple[Fragment, int]:
        return Fragment.take(self._view, at, self._charged, self._limits)

    def next_fragment(self, at: int) -> int:
        """Return where the first genuine fragment from *at* on begins; else the end."""
        while self._budget_bytes > 0 and (at := self._data.find(START, at)) >= 0:
            self._budget_bytes -= _CANDIDATE_BYTES
            try:
                self.take(at)
            except BundleError:
                at += 1
            else:
                return at
        return len(self._data)

    def _charged(self, body: memoryview, check: bytes) -> bool:
        self._budget_bytes -= len(body)
        is_genuine = self._verify(body, check)
        self.forged_count += not is_genuine
        return is_genuine
