import os
import select
import signal
from contextlib import closing
from pathlib import Path
from threading import Thread, get_ident

from pannier.cli.link_foreground import stopped_by_signals
from transports.carriers.bell import Bell

_LOOKS = 200


def test_a_signal_that_comes_to_another_thread_rings_too() -> None:
    rung = []
    main = Path(f"/proc/self/task/{os.getpid()}/stat")

    def be_signalled() -> None:
        looks = 0
        while looks < _LOOKS:  # until it waits for this thread, where nothing wakes it
            looks = looks + 1 if main.read_text().rpartition(")")[2].split()[0] == "S" else 0
        signal.pthread_kill(get_ident(), signal.SIGTERM)
        rung.extend(select.select([bell.fileno()], [], [], 5)[0])

    with closing(Bell()) as bell, stopped_by_signals(bell) as came:
        other = Thread(target=be_signalled)
        other.start()
        other.join()
        assert rung == [bell.fileno()]
        assert came == [signal.SIGTERM]
        assert bell.is_stopped
