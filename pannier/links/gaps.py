"""What is missing of a bundle, whatever ways its symbols came by (docs/link.md section 4)."""

from collections.abc import Callable, Iterable, Iterator

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.geometry import Geometry
from bundler.join import Cause, Complete, Gap, Joiner
from bundler.sequence import parse_sequence
from pannier.joining import join
from transports.link.ranges import Ranges

_SYMBOL_ID_BITS = 24

ByteRanges = tuple[tuple[int, int], ...]
"""Of a sealed bundle, [start, end), ascending."""


def lacking(
    number: bytes, geometry: Geometry, deliveries: Callable[[], Iterable[bytes]]
) -> ByteRanges | Cause:
    """Return which bytes make a bundle whole, together with what came.

    Args:
        number: Its id, 8 bytes.
        geometry: As its sender says; what came under another does not count.
        deliveries: Gives what came, as `pannier.joining.join` wants it.

    Returns:
        Ranges of whole symbols, as few as are needed; none when it is whole; or why what came
        makes no bundle.
    """
    joined = join(number, deliveries)
    if isinstance(joined, bytes):
        return ()
    if joined is not None:
        return joined
    whole = ((0, geometry.transfer_bytes),)
    joiner, is_any = Joiner(number), False
    for part in _of(number, geometry, deliveries()):
        is_any = True
        answer = joiner.receive(part)
        if isinstance(answer, Complete):
            return ()
    if not is_any:
        return whole
    return tuple(Ranges(_range(geometry, gap) for gap in _fewest(joiner))) or whole


def _fewest(joiner: Joiner) -> Iterator[Gap]:
    """Yield gaps, no more of a block than it needs beside its repair symbols."""
    left = {one.block: one.symbols for one in joiner.needs()}
    for gap in joiner.gaps():
        block = gap.payload_id >> _SYMBOL_ID_BITS
        count = min(gap.count, left[block])
        left[block] -= count
        if count:
            yield Gap(gap.payload_id, count)


def _of(number: bytes, geometry: Geometry, deliveries: Iterable[bytes]) -> Iterator[Fragment]:
    """Yield the fragments that count."""
    wanted = geometry.transfer_bytes, geometry.symbol_bytes
    for data in deliveries:
        for part in parse_sequence(data, is_plausible):
            if isinstance(part, Fragment) and part.bundle_id == number:
                is_ours = (part.transfer_bytes, part.symbol_bytes) == wanted
                if is_ours and _is_possible(geometry, part):
                    yield part


def _is_possible(geometry: Geometry, part: Fragment) -> bool:
    try:
        geometry.run(part.payload_id, len(part.symbols))
    except BundleError:
        return False
    return True


def _range(geometry: Geometry, gap: Gap) -> tuple[int, int]:
    block, first = divmod(gap.payload_id, 1 << _SYMBOL_ID_BITS)
    start = geometry.block_offset(block) + first * geometry.symbol_bytes
    return start, min(start + gap.count * geometry.symbol_bytes, geometry.transfer_bytes)
