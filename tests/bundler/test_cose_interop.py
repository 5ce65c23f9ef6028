"""A signature of ours, checked by a COSE library of others in an environment of its own.

pycose 1.1.0 does not decode with the cbor2 that we use, so that it cannot stand beside it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundler import cose

VERIFY = """
import sys
from pathlib import Path
from pycose.keys import OKPKey
from pycose.messages import CoseMessage
message = CoseMessage.decode(Path(sys.argv[1]).read_bytes())
message.key = OKPKey(crv="ED25519", x=bytes.fromhex(sys.argv[2]))
print(message.payload.decode(), message.verify_signature())
"""
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("pycose")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    installed = subprocess.run(
        [*pip, "pycose==1.1.0", "cbor2<6"], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        is_offline = (
            "NewConnectionError" in installed.stderr or "NameResolution" in installed.stderr
        )
        if is_offline and "CI" not in os.environ:
            pytest.skip("pycose cannot be fetched without a network")
        pytest.fail(installed.stderr)
    return python


def verify(python: Path, path: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    path.write_bytes(data)
    author = KEY.public_key().public_bytes_raw().hex()
    return subprocess.run(
        [python, "-c", VERIFY, path, author], capture_output=True, text=True, check=False
    )


def test_another_cose_library_verifies_our_signature(python: Path, tmp_path: Path) -> None:
    signed = cose.sign(KEY, kid=bytes(8), payload=b"what is signed").to_bytes()
    result = verify(python, tmp_path / "signed.cose", signed)
    assert result.stdout.split("\n")[0] == "what is signed True", result.stderr


def test_it_refuses_what_we_refuse(python: Path, tmp_path: Path) -> None:
    signed = cose.sign(KEY, kid=bytes(8), payload=b"what is signed").to_bytes()
    altered = signed.replace(b"what is", b"what 1s")
    result = verify(python, tmp_path / "altered.cose", altered)
    assert result.stdout.split("\n")[0] != "what 1s signed True"
    assert "True" not in result.stdout
