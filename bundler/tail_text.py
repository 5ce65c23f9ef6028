"""Bytes of text by those before them (docs/format.md section 5.4.4)."""

from functools import cache

from bundler.range_coder import Coder
from bundler.tail_mixture import Context, Mixture, adapt, code

PRIMER = (
    b"the of and to in a is that for it was on are with as be at this have from or had by not but "
    b"what all were we when your can said there use an each which she do how their if will up "
    b"other about out many then them these so some her would make like him into time has look two "
    b"more write go see no way could people my than first been call who its now find long down day "
    b"did get come made may part. Hello, yes I am OK, thank you! Where are you? temperature "
    b"humidity pressure status name value id lat lon speed voltage battery state text message "
    b"error warning info 2024-01-01T00:00:00Z https://www. .com/"
)
"""What the model has read before it sees any text."""

_ORDERS = 4
_BYTE = 256


class Text:
    """A model of text that has read `PRIMER`."""

    __slots__ = ("_mixture",)

    def __init__(self) -> None:
        """Start with what the primer taught."""
        self._mixture = Mixture(_ORDERS, _primed())

    def read(self, text: bytes) -> None:
        """Learn from *text*."""
        _read(self._mixture, text)

    def code(self, coder: Coder, wanted: bytes) -> bytes:
        """Code *wanted*, which a decoder gives as so many bytes of any value."""
        text = bytearray()
        for byte in wanted:
            contexts = _contexts(bytes(text[-_ORDERS:]))
            look = self._mixture.look(contexts)
            found = code(coder, look, byte)
            if not isinstance(found, int):
                found = coder.number(_BYTE, byte)
            adapt(look, found)
            self._mixture.learn(contexts, found)
            text.append(found)
        return bytes(text)


@cache
def _primed() -> Mixture:
    """Return a mixture that has read the primer: read once, not for each tail."""
    mixture = Mixture(_ORDERS)
    _read(mixture, PRIMER)
    return mixture


def _read(mixture: Mixture, text: bytes) -> None:
    for at, byte in enumerate(text):
        mixture.learn(_contexts(text[max(at - _ORDERS, 0) : at]), byte)


def _contexts(before: bytes) -> list[Context]:
    """Return the last 0, 1, 2, 3 of the bytes *before*, or as many as there are."""
    return [(before[max(len(before) - order, 0) :], None) for order in range(_ORDERS)]
