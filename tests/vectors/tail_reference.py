"""An encoder of tails as docs/format.md section 5.4 has it, slow and plain, for vectors."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations
from math import floor, gcd, isfinite

import cbor2

Follow = tuple[bytes, bytes, int, bytes]
# thing, kind, action, time, follows, payload, digest
Entry = tuple[str, str, int, int, list[Follow], bytes | None, bytes]

Symbol = int | bytes | str | None
Context = tuple[object, int | None]
Path = tuple[bytes | int, ...]
Estimate = tuple[int, bool]

MILLION = 10**6
ESCAPE = "escape"
PRIMER = (
    b"the of and to in a is that for it was on are with as be at this have from or had by not but "
    b"what all were we when your can said there use an each which she do how their if will up "
    b"other about out many then them these so some her would make like him into time has look two "
    b"more write go see no way could people my than first been call who its now find long down day "
    b"did get come made may part. Hello, yes I am OK, thank you! Where are you? temperature "
    b"humidity pressure status name value id lat lon speed voltage battery state text message "
    b"error warning info 2024-01-01T00:00:00Z https://www. .com/"
)


def dumps(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


# 5.4.6: exact, with the code as one integer


class Coder:
    def __init__(self) -> None:
        self.low, self.range, self.shifts = 0, 2**64 - 1, 0

    def code(self, before: int, share: int, total: int) -> None:
        unit = self.range // total
        self.low += unit * before
        self.range = unit * share
        while self.range < 2**56:
            self.low, self.range, self.shifts = self.low << 8, self.range << 8, self.shifts + 1

    def choose(self, shares: dict[Symbol, int], wanted: Symbol) -> None:
        keys = list(shares)
        at = keys.index(wanted)
        self.code(sum(shares[k] for k in keys[:at]), shares[wanted], sum(shares.values()))

    def finish(self) -> bytes:
        rounded = (-(-self.low >> 8 * k) << 8 * k for k in range(8, -1, -1))
        value = next(value for value in rounded if value < self.low + self.range)
        return value.to_bytes(self.shifts + 8, "big").rstrip(b"\0")


# 5.4.3


Known = tuple[list[int], int, int, list[tuple[Symbol, int]], int | None]
"""Weights, which of them, sum, counts, reference."""


class Mixture:
    def __init__(self, models: int) -> None:
        # Of each model: symbols and how often they came, by context.
        self.counts: list[defaultdict[str, list[tuple[Symbol, int]]]] = [
            defaultdict(list) for _ in range(models)
        ]
        self.weights = [[1024] * 8 for _ in range(models)]

    def known(self, contexts: Sequence[Context]) -> Iterator[Known]:
        for model, (context, reference) in enumerate(contexts):
            counts = self.counts[model].get(repr(context))
            if counts:
                total = sum(count for _, count in counts)
                yield self.weights[model], min(total.bit_length(), 7), total, counts, reference

    def code(self, coder: Coder, contexts: Sequence[Context], symbol: Symbol) -> bool:
        """Code the symbol, adapt, count; return whether it was there."""
        shares: dict[Symbol, int] = {}
        escape = 1
        for weights, at, total, counts, reference in self.known(contexts):
            unit = (weights[at] << 16) // (2 * total + len(counts))
            escape += unit * len(counts)
            for seen, count in counts[::-1][:32]:
                found = added(seen, reference)
                shares[found] = shares.get(found, 0) + 2 * unit * count
        shares[ESCAPE] = escape
        coder.choose(shares, symbol if symbol in shares else ESCAPE)
        self.adapt(contexts, symbol)
        self.count(contexts, symbol)
        return symbol in shares

    def adapt(self, contexts: Sequence[Context], symbol: Symbol) -> None:
        all_w, all_ws, said = 0, 1, []
        for weights, at, total, counts, reference in self.known(contexts):
            count = dict(counts).get(less(symbol, reference), 0)
            share = (2 * count << 16 or len(counts) << 8) // (2 * total + len(counts))
            all_w, all_ws = all_w + weights[at], all_ws + weights[at] * share
            said.append((weights, at, share))
        for weights, at, share in said:
            ratio = min(share * all_w * 256 // all_ws, 1536)
            weights[at] = min(max(weights[at] * (256 + ratio) >> 9, 16), 65536)

    def count(self, contexts: Sequence[Context], symbol: Symbol) -> None:
        for model, (context, reference) in enumerate(contexts):
            counts = self.counts[model][repr(context)]
            seen = less(symbol, reference)
            before = [count for other, count in counts if other == seen]
            counts[:] = [one for one in counts if one[0] != seen]
            counts.append((seen, sum(before) + 1))


def added(symbol: Symbol, reference: int | None) -> Symbol:
    return symbol + reference if isinstance(symbol, int) and reference is not None else symbol


def less(symbol: Symbol, reference: int | None) -> Symbol:
    return symbol - reference if isinstance(symbol, int) and reference is not None else symbol


# 5.4.2


def millionths(cell: bytes) -> int | None:
    if cell[0] >> 5 > 1 and cell[0] not in (0xF9, 0xFA, 0xFB):
        return None
    try:
        value = cbor2.loads(cell)
    except cbor2.CBORDecodeError:
        return None
    if not isfinite(value):
        return None
    rounded = floor(Fraction(value) * MILLION + Fraction(1, 2))
    return rounded if -(2**64) <= Fraction(rounded, MILLION) < 2**64 else None


class Grid:
    def __init__(
        self, base: int = 0, step: int = MILLION, *, product: bool = False, is_float: bool = False
    ) -> None:
        self.base, self.step, self.product, self.is_float = base, step, product, is_float

    def cell(self, n: int) -> bytes:
        m = self.base + n * self.step
        if m % MILLION == 0 and not self.is_float:
            return dumps(m // MILLION)
        return dumps(n * (self.step / MILLION) if self.product else m / MILLION)

    def number(self, cell: bytes) -> int | None:
        m = millionths(cell)
        if m is None or (m - self.base) % self.step:
            return None
        n = (m - self.base) // self.step
        return n if self.cell(n) == cell else None


def fit(cells: Iterable[bytes]) -> Grid:
    found = {cell: m for cell in cells if (m := millionths(cell)) is not None}
    is_float = any(cell[0] >= 0xF9 and m % MILLION == 0 for cell, m in found.items())
    finest = Grid(0, 1, is_float=is_float)
    exact = [m for cell, m in found.items() if finest.number(cell) is not None]
    product = Grid(0, gcd(*found.values()) or MILLION, product=True, is_float=is_float)
    if len(exact) < len(found) and all(product.number(cell) is not None for cell in found):
        return product
    if not exact:
        return Grid()
    step = gcd(*(a - b for a in exact for b in exact)) or MILLION
    return Grid(exact[0] % step, step, is_float=is_float)


class Group:
    def __init__(self, number: int) -> None:
        self.symbol: Symbol = None
        self.number, self.drift = number, 0
        self.step: int | None = None


class Column:
    def __init__(self, *, is_time: bool = False) -> None:
        self.is_time, self.refits = is_time, 0
        self.cells: list[tuple[Sequence[object], bytes]] = []
        self.kinds: dict[Symbol, int] = dict.fromkeys(range(12), 1)
        self.sizes = new_sizes()
        self.begin(Grid())

    def begin(self, grid: Grid) -> None:
        self.grid, self.mixture = grid, Mixture(6)
        self.groups: dict[object, Group] = {}
        self.latest: int | None = None

    def symbol(self, cell: bytes) -> int | bytes:
        n = self.grid.number(cell)
        return cell if n is None else n

    def in_groups(self, names: Sequence[object]) -> list[Group]:
        return [self.groups.setdefault(name, Group(self.latest or 0)) for name in names]

    def contexts(self, groups: Sequence[Group], estimate: Estimate | None) -> list[Context]:
        contexts: list[Context] = [] if self.is_time else [("all", None), (groups[0].symbol, None)]
        if self.latest is not None:
            for group in groups:
                contexts.append((group.step is None, group.number))
                contexts.append((group.step, group.number))
            if estimate:
                contexts.append((estimate[1], self.nearest(estimate)))
        return contexts

    def nearest(self, estimate: Estimate) -> int:
        return (estimate[0] - self.grid.base + self.grid.step // 2) // self.grid.step

    def likely(self, groups: Sequence[Group], estimate: Estimate | None) -> int:
        if estimate:
            return self.nearest(estimate)
        group = groups[-1]
        return group.number + (group.step or 0 if group.drift > 0 else 0)

    def advance(self, names: Sequence[object], cell: bytes) -> None:
        symbol = self.symbol(cell)
        for group in self.in_groups(names):
            group.symbol = symbol
            if isinstance(symbol, int):
                step = symbol - group.number
                if self.is_time:
                    gain = abs(step).bit_length() - abs(step - (group.step or 0)).bit_length()
                    group.drift += gain - (group.drift >> 3)
                group.number, group.step = symbol, step
            else:
                group.step = None
        if isinstance(symbol, int):
            self.latest = symbol

    def learn(
        self, names: Sequence[object], cell: bytes, estimate: Estimate | None, *, adapts: bool
    ) -> None:
        groups, symbol = self.in_groups(names), self.symbol(cell)
        if self.cells and cell not in [old for _, old in self.cells]:
            self.kinds[kind_of(cell, self.grid)] += 24
            if isinstance(symbol, int):
                self.sizes[folded(symbol - self.likely(groups, estimate)).bit_length()] += 24
        contexts = self.contexts(groups, estimate)
        if adapts:
            self.mixture.adapt(contexts, symbol)
        self.mixture.count(contexts, symbol)
        self.cells.append((names, cell))
        self.advance(names, cell)

    def code(
        self,
        coder: Coder,
        shared: "Shared",
        names: Sequence[object],
        cell: bytes,
        estimate: Estimate | None,
    ) -> None:
        groups, symbol = self.in_groups(names), self.symbol(cell)
        if not self.mixture.code(coder, self.contexts(groups, estimate), symbol):
            shared.code(coder, self, cell, self.likely(groups, estimate))
        self.cells.append((names, cell))
        self.advance(names, cell)
        is_off = isinstance(symbol, bytes) and millionths(cell) is not None
        if is_off and len(self.cells) <= 128 and self.refits < 8:
            self.refits += 1
            self.begin(fit([cell for _, cell in self.cells]))
            for old_names, old in self.cells:
                old_groups = self.in_groups(old_names)
                self.mixture.count(self.contexts(old_groups, None), self.symbol(old))
                self.advance(old_names, old)


# 5.4.4


def new_sizes() -> dict[Symbol, int]:
    return {size: max(8 >> size // 12, 1) for size in range(97)}


def folded(n: int) -> int:
    return -2 * n - 1 if n < 0 else 2 * n


def code_unsigned(coder: Coder, sizes: dict[Symbol, int], n: int) -> None:
    size = n.bit_length()
    coder.choose(sizes, size)
    sizes[size] += 24
    left = size - 1
    while left > 0:
        piece = min(left, 32)
        left -= piece
        coder.code(n >> left & (1 << piece) - 1, 1, 1 << piece)


def decimals(cell: bytes) -> tuple[int, int] | None:
    """Return (d, number) of kind 5 + d, or None."""
    m = millionths(cell)
    if m is None:
        return None
    d = next(d for d in range(7) if m % 10 ** (6 - d) == 0)
    n = Grid(0, 10 ** (6 - d)).number(cell)
    return None if n is None else (d, n)


def head_length(cell: bytes) -> int:
    low = cell[0] & 31
    return 1 + (1 << low - 24) if 24 <= low <= 27 else 1


def kind_of(cell: bytes, grid: Grid) -> int:
    if grid.number(cell) is not None:
        return 0
    decimal = decimals(cell)
    if decimal:
        return 5 + decimal[0]
    if cell[0] >> 5 == 3:
        return 1
    if 3 * sum(0x20 <= byte <= 0x7E for byte in cell) > 2 * len(cell):
        return 4
    return 2 if cell[0] >> 5 == 2 else 3


class Shared:
    """What all columns share to write cells in full."""

    def __init__(self, read: bytes) -> None:
        self.lengths, self.decimals, self.text = new_sizes(), new_sizes(), Mixture(4)
        for string in (PRIMER, read):
            for at, byte in enumerate(string):
                self.text.count(text_contexts(string[:at]), byte)

    def code(self, coder: Coder, column: Column, cell: bytes, likely: int) -> None:
        kind = kind_of(cell, column.grid)
        coder.choose(column.kinds, kind)
        column.kinds[kind] += 24
        number, decimal = column.grid.number(cell), decimals(cell)
        if number is not None:
            code_unsigned(coder, column.sizes, folded(number - likely))
        elif decimal:
            code_unsigned(coder, self.decimals, folded(decimal[1]))
        else:
            string = cell[head_length(cell) :] if kind in (1, 2) else cell
            code_unsigned(coder, self.lengths, len(string))
            is_text = kind in (1, 4) and len(string) <= 4096
            for at, byte in enumerate(string):
                if not is_text or not self.text.code(coder, text_contexts(string[:at]), byte):
                    coder.code(byte, 1, 256)


def text_contexts(before: bytes) -> list[Context]:
    return [(before[max(len(before) - n, 0) :], None) for n in range(4)]


# 5.4.1


class TooManyError(Exception):
    """More cells than a row has."""


def take_apart(payload: bytes) -> tuple[bytes, dict[Path, bytes]]:
    """Return the skeleton, and the cells by their paths, in order."""
    cells: dict[Path, bytes] = {}
    if not payload:
        return b"", cells
    try:
        skeleton = walk(cbor2.loads(payload), (), cells)
    except TooManyError:
        return b"\xff", {(): payload}
    return skeleton, cells


def walk(value: object, path: Path, cells: dict[Path, bytes]) -> bytes:
    if not isinstance(value, list | dict):
        cells[path] = dumps(value)
        return b"\xff"
    if len(value) + len(cells) > 256:
        raise TooManyError
    if isinstance(value, list):
        # The head of the array, without its items.
        head = dumps(value)[: len(dumps(len(value)))]
        return head + b"".join(walk(item, (*path, n), cells) for n, item in enumerate(value))
    head = dumps(value)[: len(dumps(len(value)))]
    items = sorted(((dumps(key), item) for key, item in value.items()), key=lambda pair: pair[0])
    return head + b"".join(key + walk(item, (*path, key), cells) for key, item in items)


def learn(
    adapts: bool,
    column: Column | None,
    names: Sequence[object],
    cell: bytes,
    estimate: Estimate | None,
) -> None:
    if column is not None:
        column.learn(names, cell, estimate, adapts=adapts)


Step = Callable[[Column | None, Sequence[object], bytes, Estimate | None], None]


class Tail:
    def __init__(self, context: Sequence[Entry]) -> None:
        self.columns: defaultdict[object, Column] = defaultdict(Column)
        self.columns["time"] = Column(is_time=True)
        self.rows: defaultdict[tuple[Path, ...], list[list[bytes]]] = defaultdict(list)
        self.relations: dict[tuple[Path, ...], dict[int, Relation]] = {}
        self.due: dict[tuple[Path, ...], int] = {}
        fitted: defaultdict[object, list[bytes]] = defaultdict(list)
        texts: list[bytes] = []
        for entry in reversed(context):
            fitted["time"].append(dumps(entry[3]))
            for path, cell in take_apart(entry[5] or b"")[1].items():
                fitted[path].append(cell)
                texts += [cell] if cell[0] >> 5 == 3 else []
        for key, cells in fitted.items():
            self.columns[key].begin(fit(cells))
        self.shared = Shared(b"".join(dict.fromkeys(texts))[:1024])
        for left, entry in zip(range(len(context), 0, -1), context, strict=True):
            self.take(entry, partial(learn, left <= 16), relates=left <= 96)

    def code(self, coder: Coder, entry: Entry) -> None:
        def step(
            column: Column | None, names: Sequence[object], cell: bytes, estimate: Estimate | None
        ) -> None:
            if column is None:
                for byte in cell:
                    coder.code(byte, 1, 256)
            else:
                column.code(coder, self.shared, names, cell, estimate)

        self.take(entry, step, relates=True)

    def take(self, entry: Entry, step: Step, *, relates: bool) -> None:
        thing, kind, action, time, follows, payload, digest = entry
        skeleton, cells = take_apart(payload or b"")
        name = dumps(thing)
        step(self.columns["thing"], ["all"], name, None)
        form = dumps([kind, action, len(follows)]) + skeleton
        step(self.columns["form"], [name], form, None)
        step(self.columns["time"], [name, "all"], dumps(time), None)
        for author, incarnation, index, leaf in follows:
            log = dumps(author + incarnation)
            step(self.columns["log"], ["all"], log, None)
            step(self.columns["index"], [log], dumps(index), None)
            step(None, [], leaf, None)
        self.take_cells(name, cells, step, relates=relates)
        if payload is None:
            step(None, [], digest, None)

    def take_cells(
        self, name: bytes, cells: dict[Path, bytes], step: Step, *, relates: bool
    ) -> None:
        paths, row = tuple(cells), list(cells.values())
        rows = self.rows[paths]
        if relates and len(paths) <= 64 and len(rows) >= self.due.get(paths, 16):
            self.due[paths] = 2 * len(rows)
            self.relations[paths] = search(rows)
        relations = self.relations.get(paths, {})
        for at, path in enumerate(paths):
            estimate = relations[at].estimate(row) if at in relations else None
            step(self.columns[path], [name], row[at], estimate)
        for relation in relations.values():
            relation.add(row, judges=True)
        rows.append(row)


# 5.4.5


class Relation:
    def __init__(self, target: int, a: int, b: int) -> None:
        self.target, self.a, self.b, self.errors = target, a, b, [0, 0]
        self.known: list[tuple[bytes, bytes, int]] = []

    def estimate(self, row: Sequence[bytes]) -> Estimate | None:
        a, b = row[self.a], row[self.b]
        for other_a, other_b, c in reversed(self.known):
            if (a, b) == (other_a, other_b):
                return c, True
        medians = self.medians(a, b)
        return None if medians is None else (medians[self.errors[0] > self.errors[1]], False)

    def medians(self, a: bytes, b: bytes) -> tuple[int, int] | None:
        table: dict[tuple[bytes, bytes], int] = {}
        for other_a, other_b, c in self.known:
            table.pop((other_a, other_b), None)
            table[other_a, other_b] = c
        latest = list(reversed(table))
        tries = [
            (other_a, other_b)
            for other_b in [y for x, y in latest if x == a]
            for other_a in [x for x, y in latest if y == b]
        ][:64]
        corners = [
            (table[a, other_b], table[other_a, b], table[other_a, other_b])
            for other_a, other_b in tries
            if table.get((other_a, other_b))
        ][:9]
        if not corners:
            return None
        middle = len(corners) // 2
        products = sorted((2 * x * y + z) // (2 * z) for x, y, z in corners)
        return products[middle], sorted(x + y - z for x, y, z in corners)[middle]

    def add(self, row: Sequence[bytes], *, judges: bool) -> None:
        c = millionths(row[self.target])
        if c is None:
            return
        for form, median in enumerate(
            self.medians(row[self.a], row[self.b]) or () if judges else ()
        ):
            self.errors[form] += min(abs(median - c), 2**32) - (self.errors[form] >> 4)
        self.known.append((row[self.a], row[self.b], c))


def search(rows: Sequence[Sequence[bytes]]) -> dict[int, Relation]:
    columns = list(zip(*rows[-256:], strict=True))
    different = [len(set(column)) for column in columns]
    relations: dict[int, Relation] = {}
    for target, column in enumerate(columns):
        if 4 * different[target] < len(column) or millionths(column[-1]) is None:
            continue
        sources = [n for n in range(target) if 3 < different[n] < len(column) * 3 // 4]
        sources = sorted(sources, key=different.__getitem__)[-8:]
        best: tuple[int, int] | None = None
        score = 1
        for a, b in combinations(sources, 2):
            pairs = list(zip(columns[a], columns[b], strict=True))
            last = dict(zip(pairs, column, strict=True))
            hits = sum(last[pair] == c for pair, c in zip(pairs, column, strict=True))
            found = hits - len(last) - 4 * (len(pairs) - hits)
            if found > score:
                best, score = (a, b), found
        if best:
            relations[target] = Relation(target, *best)
            for at, row in enumerate(rows):
                relations[target].add(row, judges=at >= len(rows) - 24)
    return relations


def encode(entries: Iterable[Entry], context: Sequence[Entry]) -> bytes:
    """Return the tail of *entries* after *context*."""
    coder, tail = Coder(), Tail(context)
    for entry in entries:
        tail.code(coder, entry)
    return coder.finish()
