"""One link in the foreground: run until it is through, or until somebody stops it."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pannier.cli.link_options import RunSaid
from pannier.cli.session import home_of, opener
from pannier.errors import PannierError, PartlyDoneError, UsageError
from pannier.link_config import LinkConfig

if TYPE_CHECKING:
    from pannier.cli.link_screen import Screen
    from pannier.links.connections import Served
    from pannier.links.side import LinkRun
    from transports.carriers.bell import Bell


def run_in_foreground(config: LinkConfig, said: RunSaid) -> None:
    """Run a link until it is through, or until somebody stops it.

    Raises:
        UsageError: its settings cannot work.
        PannierError: nobody was at the other end.
        PartlyDoneError: something was left, or refused.
    """
    problem = config.problem() or _endless(config, said)
    if problem:
        raise UsageError(problem)
    # These bring half the program with them.
    from pannier.cli.link_screen import Screen  # noqa: PLC0415
    from pannier.links.run_link import run_link  # noqa: PLC0415
    from pannier.unreadable import problems  # noqa: PLC0415
    from transports.carriers.bell import Bell  # noqa: PLC0415

    screen = Screen()
    run = _run_of(config, said, screen)
    with closing(Bell()) as bell, stopped_by_signals(bell) as stopped:
        served = run_link(run, bell)
    screen.clear()
    if served.reasons:
        reasons = "; ".join(sorted(set(served.reasons)))
        raise PartlyDoneError(f"what was refused went to quarantine: {reasons}")
    if stopped or not run.once:
        click.echo("Stopped.")
    elif config.oneway:
        click.echo("All rounds are over.")
    else:
        conclude(served)
    with run.open_node() as node:
        unreadable = problems(node)
    if unreadable:
        raise PartlyDoneError("; ".join(unreadable))


def _run_of(config: LinkConfig, said: RunSaid, screen: "Screen") -> "LinkRun":
    from pannier.link_counters import write_counters  # noqa: PLC0415 -- as above
    from pannier.links.side import LinkRun  # noqa: PLC0415 -- as above

    name = f"{config.kind} {config.place}"
    return LinkRun(
        name=name,
        config=config,
        open_node=opener(said["home"]),
        telling=screen.telling,
        count=partial(write_counters, home_of(said["home"]).path),
        once=_is_for_once(config, said),
        capture=Path(said["capture"]) if said["capture"] else None,
        ready=lambda: screen.say(f"{name}{_to_whom(config)}. Stop with Ctrl-C."),
    )


def _is_for_once(config: LinkConfig, said: RunSaid) -> bool:
    return said["once"] or bool(config.rounds)


def _endless(config: LinkConfig, said: RunSaid) -> str | None:
    """Return why a link that is to end by itself never would; None if it can."""
    if config.oneway and config.listens and _is_for_once(config, said):
        return "--once and --rounds are for who sends: who only listens never knows that all came"
    return None


def _to_whom(config: LinkConfig) -> str:
    if not config.oneway:
        return ""
    return f", one way, {'to ' + ', '.join(config.audience) if config.audience else 'from anybody'}"


def conclude(served: "Served") -> None:
    """Say what came of a link that ended by itself.

    Raises:
        PannierError: nobody was at the other end.
        PartlyDoneError: something was left.
    """
    if not served.had_session:
        raise PannierError(served.problem or "nobody whom this node knows was at the other end")
    if served.is_idle:
        click.echo("Both sides have everything.")
    elif served.is_stalled:
        raise PartlyDoneError(
            "nothing passes any more, but the other side has not said that it has everything; "
            "run it again"
        )
    else:
        raise PartlyDoneError("the other side went away before everything had passed; run it again")


@contextmanager
def stopped_by_signals(bell: "Bell") -> Iterator[list[int]]:
    """Let SIGTERM and SIGINT end a link between two steps; yield those that came."""
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        bell.stop()

    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    # One may come to another thread, or right before this one waits, and would not wake it then.
    woken = signal.set_wakeup_fd(bell.ringing_fileno(), warn_on_full_buffer=False)
    try:
        yield came
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in kept.items():
            signal.signal(number, handler)
