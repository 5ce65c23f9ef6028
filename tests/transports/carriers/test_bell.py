import select
from threading import Thread

from tests.transports.carriers.ends import PATIENCE_SECONDS, a_bell
from transports.carriers.bell import Bell


def is_ringing(bell: Bell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_is_heard_by_who_waits_and_then_silent() -> None:
    with a_bell() as bell:
        assert not is_ringing(bell)
        thread = Thread(target=bell.ring)
        thread.start()
        bell.wait(PATIENCE_SECONDS)
        thread.join()
        assert not is_ringing(bell)
        assert not bell.is_stopped


def test_never_blocks_who_rings() -> None:
    with a_bell() as bell:
        for _ in range(100_000):
            bell.ring()
        assert bell.hush()
        assert not bell.hush()


def test_stays_stopped() -> None:
    with a_bell() as bell:
        bell.stop()
        bell.wait(1e9)
        bell.wait(1e9)
        assert bell.is_stopped


def test_may_be_rung_and_closed_when_closed() -> None:
    bell = Bell()
    bell.close()
    bell.ring()
    bell.stop()
    bell.close()
