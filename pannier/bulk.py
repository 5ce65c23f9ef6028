"""What work on hundreds of thousands of small values needs of the interpreter."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Tuples and lists that must be new before Python looks for cycles among them; 700 by default.
_NEW_VALUES = 50_000


@contextmanager
def few_collections() -> Iterator[None]:
    """Let Python look for cycles of garbage seldom.

    It looks through all that is alive whenever some more is: a fifth of the time of a bulk put,
    whose values are in no cycle. What is in none is freed as soon as it is not used, as ever.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _NEW_VALUES), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
