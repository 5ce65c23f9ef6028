from hypothesis import given
from hypothesis import strategies as st

from transports.link.round_trip import RoundTrip


def test_the_first_sample_replaces_the_guess() -> None:
    trip = RoundTrip(1_000_000)
    assert trip.timeout_us(0) == 3_000_000
    assert trip.sample(0, 80_000, 0) == 80_000
    assert (trip.srtt_us, trip.rttvar_us) == (80_000, 40_000)
    assert trip.timeout_us(100_000) == 340_000


def test_the_delay_of_the_other_side_is_taken_off_but_not_below_the_shortest() -> None:
    trip = RoundTrip(1_000_000)
    trip.sample(0, 50_000, 0)
    assert trip.sample(1, 150_000, 100_000) == 50_000
    assert trip.sample(2, 150_000, 140_000) == 50_000
    assert trip.sample(3, 30_000, 400_000) == 30_000


@given(st.lists(st.integers(10_000, 90_000), min_size=1, max_size=50))
def test_it_stays_among_the_samples(samples: list[int]) -> None:
    trip = RoundTrip(1_000_000)
    for at, sample in enumerate(samples):
        trip.sample(at, sample, 0)
    assert min(samples) - 8 <= trip.srtt_us <= max(samples)
    assert trip.shortest_us in {min(samples), trip.srtt_us}
    assert trip.timeout_us(0) > trip.srtt_us


def test_the_shortest_is_forgotten_after_two_minutes() -> None:
    trip = RoundTrip(1_000_000)
    for second in range(300):
        trip.sample(second * 1_000_000, 20_000 if second < 10 else 200_000, 0)
        if second in {60, 100}:
            assert trip.shortest_us == 20_000
    assert trip.shortest_us > 190_000
