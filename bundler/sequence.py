"""Fragments one after another in a file, some of them damaged (docs/format.md section 7).

Source: CBOR sequences, RFC 8742.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bundler.errors import BundleError
from bundler.fragment import HAS_CRC, START, Fragment, Verify
from bundler.limits import DEFAULT_LIMITS, Limits

# What reading a header that turns out not to be one costs, in bytes checked for the same time.
_CANDIDATE_BYTES = 512
# Enough to find the way again in files of a few fragments.
_LEAST_SCAN_BYTES = 1 << 16


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
        return self._verify(body, check)
