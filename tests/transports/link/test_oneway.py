import random
from collections.abc import Iterator

import pytest

from transports.link.airtime import SECOND_US, RateLimit
from transports.link.frame import Label, OneWay
from transports.link.oneway import OneWayListener, OneWaySender
from transports.link.settings import LinkSettings

LABEL = Label(3, 9000, b"hint")


def frames(count: int, size: int = 60) -> list[OneWay]:
    rng = random.Random(count)
    return [OneWay(LABEL, rng.randbytes(size)) for _ in range(count)]


def sender(settings: LinkSettings, some: list[OneWay], *limits: RateLimit) -> OneWaySender:
    rest = iter(some)
    one = OneWaySender(settings, lambda _: next(rest, None), limits)
    one.opened(0)
    return one


def written(one: OneWaySender) -> Iterator[tuple[int, bytes]]:
    """Yield when what is written, by somebody who comes back whenever something is due."""
    now: int | None = 0
    while now is not None:
        while (data := one.send(now)) is not None:
            yield now, data
        now = one.due(now)


@pytest.mark.parametrize("framing", ["cobs", "cobs-xonxoff", "kiss", "datagram"])
def test_what_is_sent_is_heard(framing: str) -> None:
    settings, some = LinkSettings(framing=framing), frames(40)
    one, listener = sender(settings, some), OneWayListener(settings)
    heard = [frame for _, data in written(one) for frame in listener.receive(0, data)]
    assert heard == some
    assert (one.frames, listener.frames, listener.dropped) == (40, 40, 0)


def test_who_joins_late_or_loses_bytes_hears_the_rest() -> None:
    settings, some = LinkSettings(), frames(40)
    stream = bytearray(b"".join(data for _, data in written(sender(settings, some))))
    del stream[: len(stream) // 4]
    del stream[1000:1100]
    stream[500] ^= 0x10
    listener = OneWayListener(settings)
    heard = list(listener.receive(0, bytes(stream)))
    assert 25 <= len(heard) < 30
    assert all(frame in some for frame in heard)
    assert 1 <= listener.dropped <= 4


def test_the_line_is_full_and_never_fuller() -> None:
    settings = LinkSettings(rate=1000, framing="datagram")
    times = list(written(sender(settings, frames(200, 88))))
    assert times[-1][0] == pytest.approx(200 * 100 * 1000, rel=0.02)
    assert all(
        sum(len(data) for at, data in times if at < end) <= end / 1000 + 130
        for end in range(0, 20 * SECOND_US, SECOND_US // 7)
    )


def test_limits_are_kept() -> None:
    some, settings = frames(50, 88), LinkSettings(framing="datagram")
    times = list(written(sender(settings, some, RateLimit(4000), RateLimit(500, 100))))
    assert times[-1][0] == pytest.approx(49 * 100 * 2000, rel=0.01)


def test_nothing_asked_for_is_lost_when_the_wire_goes() -> None:
    some = frames(3)
    one = sender(LinkSettings(rate=1000, lead_us=1), some)
    listener = OneWayListener(LinkSettings())
    first = one.send(0)
    assert first is not None
    assert one.send(1) is None
    one.closed(2)
    one.opened(3)
    rest = b"".join(data for now, data in written(one))
    assert [*listener.receive(0, first), *listener.receive(0, rest)] == some


def test_with_nothing_to_send_nothing_is_due() -> None:
    one = sender(LinkSettings(), [])
    assert one.send(0) is None
    assert one.due(0) is None
    assert one.receive(0, b"whatever") == ()


def test_garbage_is_never_a_frame() -> None:
    rng = random.Random(0)
    for framing in ("cobs", "cobs-xonxoff", "kiss", "datagram"):
        listener = OneWayListener(LinkSettings(framing=framing))
        for _ in range(300):
            assert list(listener.receive(0, rng.randbytes(1000))) == []
        assert listener.dropped > 0
