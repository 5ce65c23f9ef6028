from itertools import pairwise

from transports.link.probing import Probing
from transports.link.settings import LinkSettings

SETTINGS = LinkSettings(keepalive_us=150_000_000, idle_us=600_000_000)
TIMEOUT_US = 100_000


def quiet() -> Probing:
    probing = Probing(SETTINGS, 0)
    probing.asked(0)
    return probing


def test_a_session_begins_with_a_probe() -> None:
    assert Probing(SETTINGS, 0).is_needed
    assert not quiet().is_needed


def test_what_is_not_answered_is_asked_about_ever_more_rarely() -> None:
    probing, at = quiet(), []
    for now_us in range(0, 60_000_000, 10_000):
        probing.check(now_us, TIMEOUT_US)
        if probing.is_needed:
            at.append(now_us)
            probing.asked(now_us)
    waits = [later - now for now, later in pairwise(at)]
    assert at[0] == TIMEOUT_US
    assert waits == sorted(waits)
    assert waits[-1] == 2_000_000
    probing.answered()
    assert probing.due_us(TIMEOUT_US) == at[-1] + TIMEOUT_US


def test_silence_is_asked_about_after_the_keepalive() -> None:
    probing = quiet()
    probing.heard(10_000_000)
    probing.check(159_999_999, None)
    assert not probing.is_needed
    probing.check(160_000_000, None)
    assert probing.is_needed


def test_long_silence_ends_it() -> None:
    probing = quiet()
    probing.heard(10_000_000)
    assert probing.over_us == 610_000_000
