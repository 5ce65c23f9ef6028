"""What the laboratories tried and how much survived: ``python -m tests.proving.results``.

Long runs record into docs/reliability.json; the command writes the table of docs/reliability.md
from it.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BEGIN = "<!-- results -->"
END = "<!-- end of results -->"
_COLUMNS = ("laboratory", "operation", "fault", "tried", "survived", "command")


@dataclass(frozen=True, slots=True)
class Result:
    """How often one operation of one laboratory met one fault, and how often nothing was lost."""

    laboratory: str
    operation: str
    fault: str
    tried: int
    survived: int
    command: str

    def __post_init__(self) -> None:
        if not 0 <= self.survived <= self.tried or self.tried == 0:
            raise ValueError(f"{self.survived} of {self.tried} is no result")

    @property
    def subject(self) -> tuple[str, str, str]:
        """What was tried; a later result about the same replaces this one."""
        return self.laboratory, self.operation, self.fault


def record(results: Iterable[Result], docs: Path = DOCS) -> None:
    """Merge *results* into ``reliability.json`` and bring the table in line; safe side by side."""
    with _alone(docs):
        known = {result.subject: result for result in recorded(docs)}
        known |= {result.subject: result for result in results}
        lines = [json.dumps(asdict(known[key]), ensure_ascii=False) for key in sorted(known)]
        _replace(docs / "reliability.json", "[\n" + ",\n".join(lines) + "\n]\n")
        page = docs / "reliability.md"
        _replace(page, with_table(page.read_text(encoding="utf-8"), recorded(docs)))


def recorded(docs: Path = DOCS) -> list[Result]:
    """Return all that was recorded, in its order."""
    text = (docs / "reliability.json").read_text(encoding="utf-8")
    return [Result(**fields) for fields in json.loads(text)]


def with_table(page: str, results: Iterable[Result]) -> str:
    """Return *page* with the table of *results* between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError("the page has no markers for the table")
    return f"{before}{BEGIN}\n{table(results)}{END}{after}"


def table(results: Iterable[Result]) -> str:
    """Return the results as rows of Markdown, those of each laboratory followed by their sum."""
    rows = [_COLUMNS, ("---", "---", "---", "--:", "--:", "---")]
    for laboratory, some in groupby(results, lambda one: one.laboratory):
        found = list(some)
        rows += [
            (*one.subject, f"{one.tried:,}", f"{one.survived:,}", f"`{one.command}`")
            for one in found
        ]
        tried, survived = sum(one.tried for one in found), sum(one.survived for one in found)
        rows.append((f"**{laboratory}**", "all", "", f"**{tried:,}**", f"**{survived:,}**", ""))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


@contextmanager
def _alone(docs: Path) -> Iterator[None]:
    folder = os.open(docs, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    record(())
