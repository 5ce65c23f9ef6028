"""What the benchmarks find: rows with ours, theirs, the ratio and the target; as text and JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

_LABEL, _FIGURE, _UNIT = 44, 11, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of ours beside that of a rival, or of a limit.

    Attributes:
        label: What was done.
        ours: What pannier took, or managed.
        unit: Of both figures.
        theirs: The same of the rival; None: there is none here.
        rival: Who it is, or why there is none.
        more: Whether more is better.
        target: What *ours* is to reach; None: nothing was promised.
        target_ratio: What `ratio` is to reach; None: nothing was promised.
    """

    label: str
    ours: float
    unit: str
    theirs: float | None = None
    rival: str = ""
    more: bool = False
    target: float | None = None
    target_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better ours is; below 1 where the rival is the better one."""
        if self.theirs is None or not self.ours or not self.theirs:
            return None
        return self.ours / self.theirs if self.more else self.theirs / self.ours

    @property
    def is_met(self) -> bool | None:
        """Whether all that was promised is kept; None if nothing was, or no rival is here."""
        kept = []
        if self.target is not None:
            kept.append(self.ours >= self.target if self.more else self.ours <= self.target)
        if self.target_ratio is not None and self.ratio is not None:
            kept.append(self.ratio >= self.target_ratio)
        return all(kept) if kept else None


def to_json(rows: Iterable[Row]) -> str:
    """Return rows as a line for another process."""
    return json.dumps([asdict(row) for row in rows])


def from_json(line: str | bytes) -> list[Row]:
    """Return the rows that `to_json` was given."""
    return [Row(**row) for row in json.loads(line)]


def header() -> str:
    """Return the line above all rows."""
    figures = f"{'pannier':>{_FIGURE}}{'rival':>{_FIGURE}}  {'':{_UNIT}}{'ratio':>7}"
    return f"{'':{_LABEL}}{figures}  {'target':>9}      the rival"


def group_lines(title: str, rows: Iterable[Row]) -> list[str]:
    """Return a group of rows as lines of text."""
    return ["", title, *(_line(row) for row in rows)]


def group_json(title: str, rows: Iterable[Row]) -> Mapping[str, object]:
    """Return a group of rows as a value for JSON."""
    return {
        "title": title,
        "rows": [{**asdict(row), "ratio": row.ratio, "met": row.is_met} for row in rows],
    }


def _line(row: Row) -> str:
    theirs = "" if row.theirs is None else _figure(row.theirs)
    ratio = "" if row.ratio is None else _figure(row.ratio)
    met = {None: "", True: "met", False: "NOT"}[row.is_met]
    figures = f"{_figure(row.ours):>{_FIGURE}}{theirs:>{_FIGURE}}  {row.unit:{_UNIT}}{ratio:>7}"
    return f"{row.label:{_LABEL}}{figures}  {_target(row):>9} {met:3}  {row.rival}".rstrip()


def _target(row: Row) -> str:
    if row.target_ratio is not None:
        return f"{row.target_ratio:.3g} x"
    if row.target is None:
        return ""
    return f"{'>=' if row.more else '<='} {row.target:,g}"


def _figure(value: float) -> str:
    """Return a figure with three or more digits that count."""
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"
