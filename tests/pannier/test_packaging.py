"""What is installed is what was tested: a wheel, in a fresh environment, far from the checkout."""

import ast
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from pannier.__main__ import ROOMS
from tests.cli.computers import ROOT, environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED = PROJECT["build-system"]["requires"][0].partition(">=")[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing is left in the checkout; without a network."""
    if int(version("setuptools").split(".")[0]) < int(NEEDED):
        pytest.skip(f"needs setuptools {NEEDED} here, since there may be no network to fetch it")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    copy.mkdir()
    for name in (*ROOMS, "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    command = ["pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", ".."]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment beside the packages that it depends on."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet",
         "--target", str(site), str(wheel)],
        capture_output=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    dependencies = sysconfig.get_path("purelib")
    # Without its .pth files, so that the editable checkout is not found through it.
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    return folder


def run_installed(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = environment(TMPDIR=str(cwd))
    del clean["PYTHONPATH"]
    return subprocess.run(
        [installed / "bin" / "python", "-m", "pannier", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean,
        timeout=120,
        check=False,
    )


def test_the_wheel_has_every_module_the_data_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {"*.py", "*.typed", "*.ndjson"}
    expected = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for pattern in shipped
        for path in (ROOT / room).rglob(pattern)
    }
    assert expected <= names
    assert "pannier/demo/weather.ndjson" in names
    assert {name.partition("/")[0] for name in names} == {*ROOMS, "pannier-0.1.0.dist-info"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_installed_it_runs_far_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "pannier, version 0.1.0\n"), done.stderr
    where = "import ledger, pannier; print(ledger.__file__, pannier.__file__)"
    clean = environment()
    del clean["PYTHONPATH"]
    found = subprocess.run(
        [installed / "bin" / "python", "-c", where],
        capture_output=True, text=True, cwd=tmp_path, env=clean, timeout=60, check=True,
    )  # fmt: skip
    assert str(ROOT) not in found.stdout
    assert found.stdout.count(str(installed)) == 2


def test_installed_it_tells_its_story(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, "demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Took in 604 entries by farm into weather." in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_command_is_named_and_leads_here() -> None:
    assert PROJECT["project"]["scripts"] == {"pannier": "pannier.__main__:main"}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below *node*; to look at expressions, too, takes five times as long."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield child
            yield from statements(child)


def test_what_is_imported_is_depended_on() -> None:
    """Every distribution that a room imports is depended on, and the other way round."""
    needed = PROJECT["project"]
    extras = needed["optional-dependencies"]
    texts = [*needed["dependencies"], *extras["keyring"], *extras["serial"]]
    names = {text.partition(">")[0].partition("<")[0] for text in texts}
    names = {"serial" if name == "pyserial" else name for name in names}
    trees = [ast.parse(path.read_bytes()) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    imported = set()
    for node in (node for tree in trees for node in statements(tree)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - {*ROOMS} == names
