"""Opening a wire again and again, without end: what is away may come back after a year."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from transports.carriers.backoff import Backoff
from transports.carriers.bell import Bell
from transports.carriers.carrier import Carrier, CarrierGoneError, Opener


def carriers(
    opener: Opener, bell: Bell, backoff: Backoff, complain: Callable[[str], None]
) -> Iterator[Carrier]:
    """Yield open wires, one after the other, until *bell* is stopped.

    The next one is opened when its user comes back for it, after a wait that grows until somebody
    resets *backoff*. Each is closed by then.

    Args:
        opener: Opens them.
        bell: Ends it.
        backoff: How long to wait in between.
        complain: Told each time why it cannot be opened.

    Raises:
        CarrierUnusableError: it can never be opened.
    """
    with closing(opener):
        while not bell.is_stopped:
            try:
                carrier = opener.open(bell)
                if carrier is not None:
                    with closing(carrier):
                        yield carrier
            except CarrierGoneError as error:
                complain(str(error))
            if not bell.is_stopped:
                _sleep(backoff.next_seconds(), bell)


def _sleep(seconds: float, bell: Bell) -> None:
    """Wait so long, whoever rings, unless told to end."""
    end = time.monotonic() + seconds
    while not bell.is_stopped and (left := end - time.monotonic()) > 0:
        bell.wait(left)
