"""The links of `pannier run`: each in a thread of its own, so that none waits for another.

A link that fails says why, once, and is tried again; the others do not notice.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bundler.errors import BundleError
from ledger.errors import LedgerError
from pannier.errors import PannierError
from pannier.home import Home
from pannier.import_report import Report
from pannier.link_config import LinkConfig
from pannier.link_counters import write_counters
from pannier.links.run_link import run_link
from pannier.links.side import LinkRun, LinkTelling
from pannier.node import Node
from spool.errors import SpoolError
from transports.carriers.bell import Bell
from transports.errors import TransportError

AGAIN_SECONDS = 30.0
_JOIN_SECONDS = 30.0
_ERRORS = (PannierError, LedgerError, BundleError, SpoolError, TransportError, OSError)


class KeptLinks:
    """Configured links, each with its thread.

    Attributes:
        problems: Why links do not run, by name; empty where they do.
    """

    def __init__(
        self,
        home: Home,
        open_node: Callable[[], Node],
        *,
        say: Callable[[str], None],
        imported: Callable[[Report], list[str]],
    ) -> None:
        """Run none yet.

        Args:
            home: Of the node.
            open_node: Called in many threads.
            say: Told what happens, in many threads; lines begin with the name of the link.
            imported: What an import did, in lines.
        """
        self.problems: dict[str, str] = {}
        self._home, self._open, self._say, self._imported = home, open_node, say, imported

    @contextmanager
    def running(self, links: Mapping[str, LinkConfig]) -> Iterator[None]:
        """Run *links* while the block does."""
        started = [self._started(name, config, once=False) for name, config in links.items()]
        try:
            yield
        finally:
            for bell, _ in started:
                bell.stop()
            for bell, thread in started:
                thread.join(_JOIN_SECONDS)
                bell.close()

    def run_once(self, links: Mapping[str, LinkConfig]) -> int:
        """Run those that call somebody until both sides have nothing left; return how many."""
        calling = {name: one for name, one in links.items() if not one.listens}
        started = [self._started(name, config, once=True) for name, config in calling.items()]
        for bell, thread in started:
            thread.join()
            bell.close()
        return len(started)

    def _started(
        self, name: str, config: LinkConfig, *, once: bool
    ) -> tuple[Bell, threading.Thread]:
        run = LinkRun(
            name=name,
            config=config,
            open_node=self._open,
            telling=LinkTelling(
                say=lambda line: self._say(f"{name}: {line}"),
                progress=None,
                imported=self._imported,
            ),
            count=partial(write_counters, self._home.path),
            once=once,
        )
        bell = Bell()
        thread = threading.Thread(target=self._keep, args=(run, bell), name=f"link {name}")
        thread.start()
        return bell, thread

    def _keep(self, run: LinkRun, bell: Bell) -> None:
        """Run a link, again and again unless it is for once."""
        while not bell.is_stopped:
            try:
                served = run_link(run, bell)
            except _ERRORS as error:
                self._complain(run, str(error))
            except Exception as error:  # noqa: BLE001 -- the root of a thread that has to go on
                self._complain(run, f"a mistake in pannier itself: {error!r}")
            else:
                self.problems.pop(run.name, None)
                if run.once and not (served.had_session and served.is_idle):
                    self._complain(run, "not everything could pass")
            if run.once:
                return
            bell.wait(AGAIN_SECONDS)

    def _complain(self, run: LinkRun, problem: str) -> None:
        if self.problems.get(run.name) != problem:
            self.problems[run.name] = problem
            run.telling.say(problem)
