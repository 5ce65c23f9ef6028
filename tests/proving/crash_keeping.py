"""What is harmed where nothing travels: keys, files, backups, repairs, members."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pannier.cli.passphrase import NEW_PASSPHRASE, PASSPHRASE
from tests.cli.computers import Computer, exchange, type_command
from tests.cli.test_repair import spoil_entries
from tests.pannier.folders import tree, write
from tests.proving.crash_checks import State, entries_in, settle
from tests.proving.crash_scene import NAMES, Operation, Scene, shared, strangers

BACKUP = "ledger.backup"
_PHOTOS = {"photos/north": bytes(range(256)) * 2000, "photos/old/south": b"sun", "photos/west": b""}
_PHOTOS_LATER = {"photos/north": bytes(range(255, -1, -1)) * 1999, "photos/east": b"rain"}


# -- keys and backups -------------------------------------------------------------------------


def _copy_words(scene: Scene) -> list[str]:
    return ["ledger", "backup", str(scene.folder / BACKUP)]


def _back_up_again(scene: Scene, operation: Operation) -> None:
    """One that is there is whole: another would be refused."""
    if not (scene.folder / BACKUP).exists():
        scene.farm.types(*operation.words(scene))


def _restored(scene: Scene) -> State:
    """The backup has all that there was when it was made."""
    with scene.farm.node() as farm:
        expected = entries_in(farm)
    copy = shutil.copytree(scene.farm.home, scene.folder / "copy")
    shutil.rmtree(copy / "ledgers")
    (copy / "ledgers").mkdir()
    Computer(copy).types("ledger", "restore", str(scene.folder / BACKUP))
    with Computer(copy).node() as node:
        assert entries_in(node) == expected
    shutil.rmtree(copy)
    return settle(scene.folder, NAMES)


def _lost(scene: Scene) -> None:
    """The ledger is gone, and a backup of it is there."""
    shared(scene)
    scene.farm.types(*_copy_words(scene))
    shutil.rmtree(scene.farm.home / "ledgers")
    (scene.farm.home / "ledgers").mkdir()


def _restore_words(scene: Scene) -> list[str]:
    return ["ledger", "restore", str(scene.folder / BACKUP)]


def _restore_again(scene: Scene, operation: Operation) -> None:
    if scene.farm.asks("ledger", "list") == []:
        scene.farm.types(*operation.words(scene))


def _opened(scene: Scene) -> State:
    scene.farm.types("passwd", "--no-passphrase")
    return settle(scene.folder, NAMES)


def _unshared(scene: Scene) -> None:
    """farm has a ledger for itself."""
    strangers(scene)
    scene.farm.types("put", "well", "1")


# -- files ------------------------------------------------------------------------------------


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        write(folder / name, data)


def _photographed(scene: Scene) -> None:
    shared(scene)
    _lay(scene.folder / "made", _PHOTOS)


def _add_words(scene: Scene) -> list[str]:
    return ["add", str(scene.folder / "made" / "photos")]


def _delivered(scene: Scene) -> State:
    """What was added can be checked out where it was brought to."""
    state = settle(scene.folder, NAMES)
    scene.home.types("checkout", str(scene.out))
    assert tree(scene.out) == _PHOTOS
    return state


def _checked_out(scene: Scene) -> None:
    """home has checked out what has changed since: one is new, one another, two are no more."""
    _photographed(scene)
    for files in (_PHOTOS, _PHOTOS_LATER):
        _lay(scene.folder / "made", files)
        scene.farm.types(*_add_words(scene), "--reread")
        exchange(scene.stick, scene.farm, scene.home)
        if files is _PHOTOS:
            scene.home.types("checkout", str(scene.out))
    for name in _PHOTOS.keys() - _PHOTOS_LATER.keys():
        scene.farm.types("delete", name)
    exchange(scene.stick, scene.farm, scene.home)


def _checkout_words(scene: Scene) -> list[str]:
    return ["checkout", str(scene.out), "--delete"]


def _as_added(scene: Scene) -> State:
    assert tree(scene.out) == _PHOTOS_LATER
    return settle(scene.folder, NAMES)


# -- repairs ----------------------------------------------------------------------------------


def _damaged(scene: Scene) -> None:
    """home holds all that farm has lost."""
    shared(scene)
    exchange(scene.stick, scene.farm, scene.home, scene.farm)
    spoil_entries(scene.farm)


def _repair_again(scene: Scene, operation: Operation) -> None:
    """What was repaired before needs no repair; what was lost is lost until an exchange."""
    done = type_command("--home", str(scene.farm.home), *operation.words(scene))
    assert done.status in (0, operation.status), done
    scene.farm.types("verify")


KEEPING = (
    Operation(
        name="passphrase change",
        victim="farm",
        prepare=shared,
        words=lambda _: ["passwd"],
        env={PASSPHRASE: "new", NEW_PASSPHRASE: "new"},
        finish=_opened,
    ),
    Operation(
        name="ledger backup",
        victim="farm",
        prepare=shared,
        words=_copy_words,
        again=_back_up_again,
        finish=_restored,
    ),
    Operation(
        name="ledger restore",
        victim="farm",
        prepare=_lost,
        words=_restore_words,
        again=_restore_again,
    ),
    Operation(
        name="ledger share",
        victim="farm",
        prepare=_unshared,
        words=lambda _: ["ledger", "share", "home"],
    ),
    Operation(
        name="add",
        victim="farm",
        prepare=_photographed,
        words=_add_words,
        finish=_delivered,
    ),
    Operation(
        name="checkout",
        victim="home",
        prepare=_checked_out,
        words=_checkout_words,
        finish=_as_added,
    ),
    Operation(
        name="verify --repair",
        victim="farm",
        prepare=_damaged,
        words=lambda _: ["verify", "--repair"],
        status=3,
        is_sound=False,
        again=_repair_again,
    ),
)
