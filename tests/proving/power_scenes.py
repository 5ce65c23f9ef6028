"""What people do while the power goes out."""

import json

from pannier.cli.passphrase import NEW_PASSPHRASE, PASSPHRASE
from tests.proving.power_checks import (
    check_alone,
    check_backup,
    check_bulk,
    check_carried,
    check_checkout,
    check_delivered,
    check_delivered_files,
    check_files,
    check_node,
    check_passphrase,
    check_repaired,
    check_reviewed,
    check_settings,
)
from tests.proving.power_scene import FARM, HOME, MULE, OUT, STICK, Scene, Step

_INIT = Step(who=FARM, words=("init", "--name", FARM, "--no-passphrase"))
_PUT = Step(who=FARM, words=("put", "well", "1"))
_PAIR = (
    _INIT,
    Step(who=HOME, words=("init", "--name", HOME, "--no-passphrase")),
    Step(who=FARM, words=("peer", "add", HOME, "TOP/home.card")),
    Step(who=HOME, words=("peer", "add", FARM, "TOP/farm.card")),
    _PUT,
    Step(who=FARM, words=("ledger", "share", HOME)),
)


def _exchange(who: str, operation: str = "", *, days: int = 0) -> Step:
    return Step(who=who, words=("exchange", "TOP/stick"), operation=operation, days=days)


def _lines(count: int, prefix: str) -> bytes:
    lines = ({"thing": f"{prefix}{n}", "data": {"n": n, "s": "x" * n}} for n in range(count))
    return "\n".join(map(json.dumps, lines)).encode()


_EACH = ("put", "--ndjson", "-", "--each")
_MANY = ("put", "--ndjson", "-")
_PASSPHRASES = {PASSPHRASE: "old", NEW_PASSPHRASE: "new"}

SCENES = (
    Scene(
        name="init",
        disks=(FARM,),
        steps=(Step(who=FARM, words=_INIT.words, operation="init"),),
        check=check_node,
    ),
    Scene(
        name="settings",
        disks=(FARM,),
        steps=(
            Step(who=FARM, words=(*_INIT.words, "--hide-names"), operation="init --hide-names"),
            Step(
                who=FARM,
                words=("TOP/farm/node/config.toml", "hide_names = true\nledger = 'farm'\n"),
                kind="configure",
            ),
            Step(
                who=FARM,
                words=("peer", "add", HOME, "TOP/files/home.card", "--clear"),
                operation="peer add --clear",
            ),
        ),
        check=check_settings,
    ),
    Scene(
        name="put",
        disks=(FARM,),
        steps=(
            _INIT,
            Step(who=FARM, words=_PUT.words, operation="put, the first"),
            Step(who=FARM, words=_PUT.words, operation="put"),
            Step(who=FARM, words=_EACH, operation="put --each", stdin=_lines(3, "each")),
        ),
        check=check_alone,
    ),
    Scene(
        name="repair",
        disks=(FARM,),
        steps=(
            _INIT,
            Step(who=FARM, words=_EACH, stdin=_lines(3, "each")),
            Step(
                who=FARM,
                words=("TOP/farm/node",),
                operation="verify --repair",
                kind="repair",
            ),
        ),
        check=check_repaired,
    ),
    Scene(
        name="bulk",
        disks=(FARM,),
        steps=(
            _INIT,
            _PUT,
            Step(who=FARM, words=_MANY, operation="put --ndjson", stdin=_lines(40, "many")),
        ),
        check=check_bulk,
    ),
    Scene(
        name="exchange",
        steps=(
            *_PAIR,
            _exchange(FARM, "exchange, writing"),
            _exchange(HOME, "exchange, reading"),
            Step(who=HOME, words=("put", "pump", "2")),
            _exchange(FARM, "exchange, confirmed"),
            _exchange(HOME),
            _exchange(FARM, "exchange, merging"),
        ),
        check=check_delivered,
    ),
    Scene(
        name="mule",
        disks=(FARM, HOME, MULE, STICK),
        steps=(
            *_PAIR,
            Step(who=MULE, words=("init", "--name", MULE, "--no-passphrase")),
            _exchange(FARM),
            _exchange(MULE, "exchange, carrying"),
        ),
        check=check_carried,
    ),
    Scene(
        name="pack",
        steps=(
            *_PAIR,
            Step(
                who=FARM,
                words=("pack", HOME, "--into", "TOP/stick/out", "--mtu", "222"),
                operation="pack",
            ),
            Step(who=HOME, words=("unpack", "TOP/stick/out"), operation="unpack"),
        ),
        check=check_delivered,
    ),
    Scene(
        name="expiry",
        steps=(
            *_PAIR,
            _exchange(FARM),
            _exchange(HOME),
            _exchange(FARM),
            Step(who=FARM, words=("put", "pump", "2")),
            _exchange(FARM),
            Step(who=HOME, words=("put", "later", "1"), days=380),
            Step(who=HOME, words=("pack", FARM, "--into", "TOP/stick/out"), days=380),
            Step(who=FARM, words=("unpack", "TOP/stick/out"), days=380),
            _exchange(FARM, "expiry", days=380),
        ),
        check=check_delivered,
    ),
    Scene(
        name="passwd",
        disks=(FARM,),
        steps=(
            Step(who=FARM, words=("init", "--name", FARM), env={PASSPHRASE: "old"}),
            Step(who=FARM, words=_PUT.words, env={PASSPHRASE: "old"}),
            Step(who=FARM, words=("passwd",), operation="passwd", env=_PASSPHRASES),
        ),
        check=check_passphrase,
    ),
    Scene(
        name="backup",
        disks=(FARM, OUT),
        steps=(
            _INIT,
            _PUT,
            Step(
                who=FARM,
                words=("ledger", "backup", "TOP/out/farm.backup"),
                operation="ledger backup",
            ),
        ),
        check=check_backup,
    ),
    Scene(
        name="add",
        disks=(FARM,),
        steps=(_INIT, Step(who=FARM, words=("add", "TOP/files/maps"), operation="add")),
        check=check_files,
    ),
    Scene(
        name="checkout",
        disks=(FARM, OUT),
        steps=(
            _INIT,
            Step(who=FARM, words=("add", "TOP/files/maps")),
            Step(who=FARM, words=("checkout", "TOP/out/copy"), operation="checkout"),
        ),
        check=check_checkout,
    ),
    Scene(
        name="files",
        steps=(
            *_PAIR,
            Step(who=FARM, words=("add", "TOP/files/maps")),
            _exchange(FARM, "exchange, writing files"),
            _exchange(HOME, "exchange, reading files"),
        ),
        check=check_delivered_files,
    ),
    Scene(
        name="review",
        steps=(
            *_PAIR,
            Step(
                who=HOME,
                words=("TOP/home/node/config.toml", "[peer.farm]\nimport = 'review'\n"),
                kind="configure",
            ),
            _exchange(FARM),
            _exchange(HOME, "exchange, for review"),
            Step(
                who=HOME,
                words=("review", "accept", "REVIEW"),
                operation="review accept",
                again=(),
            ),
        ),
        check=check_reviewed,
    ),
    Scene(
        name="link",
        steps=(
            *_PAIR,
            Step(who=FARM, words=_MANY, stdin=_lines(150, "linked")),
            Step(who=HOME, words=("TOP/", FARM, HOME), operation="link", kind="link"),
        ),
        check=check_delivered,
    ),
)
