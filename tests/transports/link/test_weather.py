"""Whatever the line does, what is offered arrives as it was, in both directions."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.link import World, datagrams, radio, serial
from tests.sim.wire import Ills

SHARE = st.floats(0, 0.3)
ILLS = st.builds(
    Ills,
    loss=SHARE,
    corrupt=SHARE,
    reorder=SHARE,
    duplicate=SHARE,
    latency_us=st.integers(0, 300_000),
    jitter_us=st.integers(0, 50_000),
    rate=st.sampled_from([None, 5_000, 200_000]),
)
SIZES = st.lists(st.integers(1, 5_000), min_size=1, max_size=6)


def all_arrives(world: World, sizes: tuple[list[int], list[int]], seed: int) -> None:
    rng = random.Random(seed)
    for side, lengths in zip(world.sides, sizes, strict=True):
        side.offer(*(rng.randbytes(length) for length in lengths))
    one, other = world.sides
    wanted = [set(one.files.values()), set(other.files.values())]
    assert world.run(
        3_000, lambda: all(set(side.files) <= set(side.delivered) for side in world.sides)
    )
    assert set(other.got.values()) >= wanted[0]
    assert set(one.got.values()) >= wanted[1]


@settings(max_examples=30)
@given(ILLS, st.tuples(SIZES, SIZES), st.integers(0, 99))
def test_over_datagrams(ills: Ills, sizes: tuple[list[int], list[int]], seed: int) -> None:
    all_arrives(datagrams(ills, seed=seed), sizes, seed)


@settings(max_examples=30)
@given(
    # Where one hello in four comes through, cuts after every eighth leave nothing to work with.
    st.sampled_from([(0, 1_500), (1e-5, 1_500), (1e-4, 10_000), (1e-4, None), (1e-3, None)]),
    st.integers(0, 400_000),
    st.tuples(SIZES, SIZES),
    st.integers(0, 99),
)
def test_over_a_line(
    line: tuple[float, int | None],
    latency_us: int,
    sizes: tuple[list[int], list[int]],
    seed: int,
) -> None:
    world = serial(ber=line[0], latency_us=latency_us, seed=seed)
    world.cut_every = line[1]
    all_arrives(world, sizes, seed)


@settings(max_examples=15)
@given(st.tuples(SIZES, SIZES), st.integers(0, 99))
def test_over_a_radio(sizes: tuple[list[int], list[int]], seed: int) -> None:
    all_arrives(radio(seed=seed), sizes, seed)
