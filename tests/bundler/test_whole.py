import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.limits import Limits
from bundler.whole import START, Whole, frame_bytes, is_of_later_version


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=300))
def test_a_frame_comes_back(hint: bytes, sealed: bytes) -> None:
    whole = Whole(hint=hint, sealed=sealed)
    assert len(whole.to_bytes()) == frame_bytes(len(sealed))
    assert Whole.from_bytes(whole.to_bytes()) == whole


def test_the_bytes_are_those_of_the_format() -> None:
    whole = Whole(hint=b"hint", sealed=b"abc")
    assert whole.to_bytes().hex() == "830144" + b"hint".hex() + "43" + b"abc".hex()


def test_what_is_not_one_frame_is_refused() -> None:
    data = Whole(hint=b"hint", sealed=b"abc").to_bytes()
    for wrong in (data[:-1], data + b"\0", b"", b"\x83\x02" + data[2:], data[:7] + b"\x40"):
        with pytest.raises(MalformedError):
            Whole.from_bytes(wrong)
    with pytest.raises(LimitError):
        Whole.from_bytes(data, limits=Limits(bundle_bytes=2))


@given(st.binary(max_size=20) | st.binary(max_size=20).map(lambda tail: b"\x83\x01\x44" + tail))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    try:
        assert Whole.from_bytes(data).to_bytes() == data
    except BundleError:
        pass


@pytest.mark.parametrize("start", [b"\x83\x02\x44", b"\x87\x17", b"\x80\x02"])
def test_what_a_later_version_wrote_is_known_for_it(start: bytes) -> None:
    assert is_of_later_version(start + b"whatever")


@pytest.mark.parametrize(
    "start", [b"", b"\x83", START, b"\x87\x01\x48", b"\x98\x18\x02", b"\x83\x18"]
)
def test_what_this_version_or_nobody_wrote_is_not(start: bytes) -> None:
    assert not is_of_later_version(start)
