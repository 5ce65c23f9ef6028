import random
from collections.abc import Callable

import cbor2

from bundler.tail_grid import millionths_of
from bundler.tail_relation import Relation, find_relations


def row(*values: object) -> list[bytes]:
    return [cbor2.dumps(value, canonical=True) for value in values]


def table(of: Callable[[int, int], float]) -> list[list[bytes]]:
    draw = random.Random(1)
    pairs = [(draw.randrange(2, 12), draw.randrange(3, 14)) for _ in range(200)]
    return [row(a, b, of(a, b), draw.random()) for a, b in pairs]


def _product(a: int, b: int) -> float:
    return (a * a + 1) * (b + 3) / 100


def _sum(a: int, b: int) -> float:
    return 5 * a * a - 7 * b


def test_products_and_sums_are_found() -> None:
    for of in (_product, _sum):
        rows = table(of)
        relations = find_relations(rows)
        assert list(relations) == [2]
        new = row(30, 3, of(30, 3), 0)
        relations[2].learn(new)
        estimate = relations[2].estimate(row(30, 5))
        assert estimate is not None
        assert not estimate.is_seen
        wanted = millionths_of(row(of(30, 5))[0])
        assert wanted is not None
        assert abs(estimate.millionths - wanted) <= 1
        seen = relations[2].estimate(new[:2])
        assert seen is not None
        assert (seen.millionths, seen.is_seen) == (millionths_of(new[2]), True)


def test_what_does_not_follow_is_not_related() -> None:
    draw = random.Random(1)
    assert not find_relations(table(lambda a, b: draw.randrange(1000)))
    assert not find_relations([])
    assert not find_relations([row("a", "b", "c")] * 20)


def test_nothing_is_told_of_what_never_came() -> None:
    relation = Relation(2, 0, 1)
    assert relation.estimate(row(1, 2)) is None
    relation.learn(row(1, 2, 3))
    relation.learn(row(1, 2, None))
    assert relation.estimate(row(1, 3)) is None
    estimate = relation.estimate(row(1, 2))
    assert estimate is not None
    assert estimate.millionths == 3_000_000


def test_a_corner_that_is_zero_divides_nothing() -> None:
    relation = Relation(2, 0, 1)
    for a, b, c in ((1, 1, 0), (1, 2, 0), (2, 1, 0)):
        relation.learn(row(a, b, c))
    assert relation.estimate(row(2, 2)) is None


def test_what_no_number_can_be_is_no_estimate() -> None:
    def of(a: int, b: int) -> float:
        return 10**15 + 10 * a + b if 0 in (a, b) else (a * 5 + b) / 10**6

    pairs = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 2)]
    pairs += [(3, 3), (4, 4), (1, 2), (2, 3)]
    rows = [row(a, b, of(a, b)) for a, b in (*pairs, *pairs[:6])]
    (relation,) = find_relations(rows).values()
    found = relation._found(*row(0, 0))
    assert found is not None
    assert max(found) > 1 << 96
    assert relation.estimate(row(0, 0)) is None
    assert relation.estimate(row(1, 3)) is not None
