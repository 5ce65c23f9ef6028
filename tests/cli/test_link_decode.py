import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pannier.cli.link_decode import decode_command
from transports.link.encode import encode_data, encode_one_way
from transports.link.frame import Label
from transports.link.framing import PIPES

KEY = bytes(32)
BODIES = [encode_data(KEY, 7, 5, 256, b"hello"), encode_one_way(Label(3, 2587, b"hint"), b"f")]


def typed(*words: str, stdin: bytes = b"") -> list[str]:
    done = CliRunner().invoke(decode_command, words, input=stdin)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def stream(framing: str) -> bytes:
    return b"\xff\xffnoise" + b"".join(
        PIPES[framing](2048).opening + PIPES[framing](2048).frame(body) for body in BODIES
    )


@pytest.mark.parametrize("framing", PIPES)
def test_a_captured_file_is_shown_frame_by_frame(tmp_path: Path, framing: str) -> None:
    path = tmp_path / "capture.bin"
    path.write_bytes(stream(framing))
    lines = typed(str(path), "--framing", framing)
    assert [line.split()[2] for line in lines] == ["garbage", "DATA", "ONE_WAY"]
    assert "number 7  handle 5  offset 256  data_bytes 5" in lines[1]


def test_programs_get_an_object_a_line_from_standard_input() -> None:
    shown = [json.loads(line) for line in typed("--json", "-", stdin=stream("cobs"))]
    assert [one["kind"] for one in shown] == ["garbage", "DATA", "ONE_WAY"]
    assert shown[1]["says"] == {"number": 7, "handle": 5, "offset": 256, "data_bytes": 5}
    assert shown[2]["says"]["hint"] == b"hint".hex()
