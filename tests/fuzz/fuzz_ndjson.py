"""Lines for `put --ndjson`: the data of each comes back as it was."""

import io
from collections.abc import Iterator, Sequence

from ledger.data import PayloadEncoder, payload_from_value, value_from_payload
from ledger.errors import LedgerError
from ledger.on_behalf import DeviceEncoder, statement_from_value
from pannier.errors import PannierError
from pannier.ledgers import draft_from_line, drafts_from_ndjson, numbered_lines
from pannier.payloads import Payloads
from tests.fuzz.harness import Target
from tests.vectors import load


class _Payloads(Payloads):
    """Without a node: nothing is sealed for anybody."""

    def __init__(self) -> None:
        self._encoder = PayloadEncoder()
        self._devices = DeviceEncoder(self._encoder)

    def make(
        self, thing: str, value: object, *, device: str | None = None, to: Sequence[str] = ()
    ) -> bytes:
        if device is None:
            return self._encoder.encode(value)
        payload = self._devices.encode(device, value)
        said = statement_from_value(value_from_payload(payload))
        assert said is not None
        assert said.device == device
        return payload


def take(data: bytes) -> None:
    quick = drafts_from_ndjson(io.BytesIO(data), _Payloads(), now_us=0)
    for draft, (number, line) in zip(quick, numbered_lines(io.BytesIO(data)), strict=True):
        assert draft == draft_from_line(line, _Payloads(), number=number, now_us=0)
        value = value_from_payload(draft.payload)
        if statement_from_value(value) is None:
            assert payload_from_value(value) == draft.payload


def seeds() -> Iterator[bytes]:
    for vector in load("data").values():
        text = str(vector["json"])
        if len(text) < 1000:
            yield b'{"thing": "a", "data": ' + text.encode(errors="surrogatepass") + b"}\n"
    yield b'{"thing": "a/b", "data": {"x": [1, 2.5, null]}, "time": 5, "kind": "k"}\n\n'
    yield b'{"thing":"a","data":{"x":1,"y":"z"}}\n{"thing":"b","data":{"x":2.5,"y":null}}'
    yield b'{"thing": "a", "data": 1, "as": "sensor-7"}\n{"thing": "a", "data": 1, "to": ["b"]}'


TARGET = Target(take, (LedgerError, PannierError), seeds, longest=256)
