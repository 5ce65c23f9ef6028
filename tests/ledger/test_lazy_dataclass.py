"""What is quick to make is the standard library's dataclass in everything else."""

import copy
import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import lazy_dataclass

Make = Callable[..., Callable[[type], type]]
LAZY: Make = lazy_dataclass.dataclass
STANDARD: Make = dataclasses.dataclass


class Pair(NamedTuple):
    """One class, made in both ways; both are called ``Value``."""

    lazy: type
    standard: type


def both(plain: Callable[[], type], **flags: bool) -> Pair:
    return Pair(LAZY(slots=True, **flags)(plain()), STANDARD(slots=True, **flags)(plain()))


def of_all_kinds() -> type:
    class Value:
        """Has each kind of field."""

        TYPE: ClassVar[int] = 7

        a: int
        b: str = "b"
        c: list[int] = dataclasses.field(default_factory=list)
        d: bytes = dataclasses.field(default=b"", compare=False, repr=False)

        def twice(self) -> int:
            return self.a * 2

    return Value


def shown_after_making(cls: type, *positional: int, **named: int) -> str:
    return repr(cls(*positional, **named)).rpartition(".")[2]


FLAGS = pytest.mark.parametrize(
    "flags", [{"frozen": True}, {"frozen": True, "kw_only": True}, {}, {"kw_only": True}]
)


def outcome(what: Callable[[], object]) -> object:
    """Return what comes of *what*, in a form in which both ways can be compared."""
    try:
        return what()
    except (TypeError, AttributeError, ZeroDivisionError) as error:
        return type(error)


@FLAGS
@given(
    positional=st.lists(st.integers(), max_size=5),
    named=st.dictionaries(st.sampled_from("abcdx"), st.integers()),
)
def test_is_called_with_the_same_and_shows_the_same(
    flags: dict[str, bool], positional: list[int], named: dict[str, int]
) -> None:
    shown = {
        str(outcome(partial(shown_after_making, cls, *positional, **named)))
        for cls in both(of_all_kinds, **flags)
    }
    assert len(shown) == 1


@FLAGS
@given(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.integers(0, 1))
def test_is_equal_when_the_same_fields_are(
    flags: dict[str, bool], a: int, other_a: int, d: int, other_d: int
) -> None:
    for cls in both(of_all_kinds, **flags):
        one, other = cls(a=a, d=d), cls(a=other_a, d=other_d)
        assert (one == other) is (a == other_a)
        assert one != (a, "b", [], d)


def plain() -> type:
    class Value:
        """Can be hashed, if it is frozen."""

        a: int
        b: int = 2

    return Value


def test_equal_values_have_one_hash_and_what_changes_has_none() -> None:
    lazy, standard = both(plain, frozen=True)
    assert len({lazy(1), lazy(1, 2), lazy(2)}) == len({standard(1), standard(1, 2), standard(2)})
    assert lazy(1) != standard(1)
    for cls in both(plain):
        with pytest.raises(TypeError, match="unhashable"):
            hash(cls(1))


def test_frozen_stays_and_other_changes() -> None:
    for cls in both(plain, frozen=True):
        value = cls(1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.a = 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            del value.a
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):  # the standard one errs
            value.new = 2
        assert value.a == 1
    for cls in both(plain):
        value = cls(1)
        value.a = 3
        assert value == cls(3)
        with pytest.raises(AttributeError):
            value.new = 1


@FLAGS
def test_the_standard_library_knows_it(flags: dict[str, bool]) -> None:
    found = [
        (
            [one.name for one in dataclasses.fields(cls)],
            dataclasses.asdict(cls(a=1)),
            dataclasses.asdict(dataclasses.replace(cls(a=1, d=b"d"), a=5)),
            getattr(cls, "__match_args__"),  # noqa: B009 -- a `type` need not have one
            cls(a=4).twice(),
            getattr(cls(a=1), "TYPE"),  # noqa: B009 -- nor this
            hasattr(cls(a=1), "__dict__"),
        )
        for cls in both(of_all_kinds, **flags)
    ]
    assert found[0] == found[1]


@FLAGS
def test_a_made_default_is_nobody_elses(flags: dict[str, bool]) -> None:
    for cls in both(of_all_kinds, **flags):
        one, other = cls(a=1), cls(a=1)
        one.c.append(1)
        assert other.c == []


def checked() -> type:
    class Value:
        """Refuses what is no value of it, and shows itself in its own way."""

        a: int

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ZeroDivisionError

        def __repr__(self) -> str:
            return "mine"

    return Value


@pytest.mark.parametrize("number", [-1, 1])
def test_what_a_class_has_of_its_own_stays(number: int) -> None:
    lazy, standard = both(checked, frozen=True)
    found = [outcome(partial(shown_after_making, cls, number)) for cls in (lazy, standard)]
    assert found == ["mine" if number > 0 else ZeroDivisionError] * 2


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """Of two fields, one with a default."""

    a: float
    b: str = "b"


@LAZY(frozen=True, slots=True)
class Lazy:
    """As `Standard`."""

    a: float
    b: str = "b"


@pytest.mark.parametrize("cls", [Standard, Lazy])
def test_a_copy_is_equal_and_as_frozen(cls: type) -> None:
    value = cls(1.5)
    for other in (copy.copy(value), copy.deepcopy(value)):
        assert other == value
        with pytest.raises(dataclasses.FrozenInstanceError):
            other.a = 2


def test_one_field_is_compared_as_many_are() -> None:
    """What is not equal to itself is, in a container, and so in a value."""

    def one() -> type:
        class Value:
            """Of one field."""

            a: float

        return Value

    for cls in both(one, frozen=True):
        assert cls(math.nan) == cls(math.nan)
        assert hash(cls(1.0)) == hash(cls(1))


@pytest.mark.parametrize("cls", [Standard, Lazy])
def test_a_wrong_call_names_the_class(cls: type) -> None:
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.__init__\(\) missing .* 'a'"):
        cls()


@pytest.mark.parametrize("make", [LAZY, STANDARD])
def test_what_is_inherited_comes_first_and_makes_nothing_equal(make: Make) -> None:
    base = make(frozen=True, slots=True)(plain())
    longer = type("Value", (base,), {"__annotations__": {"c": int}, "c": 3})
    cls = make(frozen=True, slots=True)(longer)
    assert shown_after_making(cls, 1) == "Value(a=1, b=2, c=3)"
    assert shown_after_making(base, 1) == "Value(a=1, b=2)"
    assert cls(1, 2, 3) == cls(1)
    assert cls(1) not in (base(1), cls(1, c=4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls(1).a = 2


def test_a_class_of_no_fields_has_one_value() -> None:
    def empty() -> type:
        class Value:
            """Nothing."""

        return Value

    for cls in both(empty, frozen=True):
        assert cls() == cls()
        assert hash(cls()) == hash(cls())


def test_without_slots_it_is_the_standard_one() -> None:
    class Value:
        """Has a dictionary, for what is cached in it."""

        a: int

    made: type = LAZY(frozen=True)(Value)
    assert id(made) == id(Value)
    assert made(1) == made(1)
    assert made(1).__dict__ == {"a": 1}
