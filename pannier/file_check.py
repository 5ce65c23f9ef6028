"""Reading all contents of files that a ledger keeps: the part of `pannier verify` about them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ledger.adopt import adopt, forget_named
from ledger.errors import AlteredError, DamagedError
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.store_blobs import Place
from pannier.files import WORKERS, ahead


@dataclass(frozen=True, slots=True)
class CheckedChunk:
    """What came of reading one chunk.

    Attributes:
        place: Where it lies.
        fault: What is wrong with it; None if nothing is.
        is_lost: Whether reading again cannot help.
    """

    place: Place
    fault: str | None = None
    is_lost: bool = False


def check_contents(store: Store) -> Iterator[CheckedChunk]:
    """Read every chunk that is here. What is altered is taken for missing from then on.

    So a peer that has it sends it again, and `pannier add` takes it anew.

    Raises:
        BusyError: another process held the ledger file for too long.
        DamagedError: the ledger file cannot be read.
    """
    adopt(store)
    _ = store.blobs.keys  # read here: other threads cannot ask the ledger file
    lost = []
    with ThreadPoolExecutor(WORKERS) as pool:
        check = partial(_check, store)
        for one in ahead(pool.submit(check, place) for place in store.blobs.places()):
            checked = one.result()
            if checked.is_lost:
                lost.append(checked.place.span.name)
            yield checked
    if lost:
        forget_named(store, lost)


def _check(store: Store, place: Place) -> CheckedChunk:
    try:
        store.blobs.check_at(place)
    except AlteredError as error:
        return CheckedChunk(place, f"pack {place.pack.hex()}: {error}", is_lost=True)
    except DamagedError as error:
        return CheckedChunk(place, str(error))
    return CheckedChunk(place)
