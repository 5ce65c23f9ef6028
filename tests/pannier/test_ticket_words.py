import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pannier.errors import UsageError
from pannier.pgp_words import EVEN, ODD
from pannier.ticket_words import from_spoken, tickets_in, to_digits, to_text, to_words
from tests.vectors import load

FORMS = (to_text, to_words, to_digits)
TICKET = bytes.fromhex("01a1b2c3d400003955667788")
tickets = st.binary(min_size=11, max_size=99).map(lambda rest: b"\1" + rest)


def misread(text: str) -> str:
    with pytest.raises(UsageError) as found:
        from_spoken(text)
    return str(found.value)


@given(tickets)
def test_all_forms_there_and_back(data: bytes) -> None:
    for form in FORMS:
        assert from_spoken(form(data)) == data
        assert tickets_in([form(data)]) == [data]
        assert tickets_in(re.split("[ -]", form(data))) == [data]


@given(tickets, st.randoms(use_true_random=False))
def test_case_spaces_and_dashes_mean_nothing(data: bytes, rng: object) -> None:
    for form in FORMS:
        text = form(data)
        for changed in (text.upper(), text.lower(), re.sub("[ -]", "  -\n", text)):
            assert from_spoken(f" {changed}, ") == data
    assert from_spoken(to_text(data).replace("-", "")) == data
    assert from_spoken(to_digits(data).replace(" ", "")) == data


@given(st.text(max_size=200))
def test_any_text_is_bytes_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        from_spoken(text)


def test_several_tickets() -> None:
    other = bytes([1, *range(11)])
    for form in FORMS:
        assert tickets_in([form(TICKET), form(other)]) == [TICKET, other]


def test_letters_that_look_like_digits() -> None:
    text = to_text(TICKET)
    assert from_spoken(text.replace("O", "0").replace("I", "1").replace("B", "8")) == TICKET


def test_the_words_are_the_published_ones() -> None:
    assert len({word.lower() for word in EVEN + ODD}) == 512
    # From the published example of a fingerprint.
    key = bytes.fromhex("E582 94F2 E9A2 2748 6E8B 061B 31CC 528F D7FA 3F19")
    assert to_words(key) == (
        "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa "
        "afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
    )


def test_a_mistyped_word_is_named_with_what_may_be_meant() -> None:
    words = to_words(TICKET).split()
    words[2] = words[2][:-1] + "x"
    message = misread(" ".join(words))
    assert message.startswith("word 3, ")
    assert to_words(TICKET).split()[2] in message


@given(tickets, st.integers(0, 98))
def test_a_word_left_out_or_said_twice_is_noticed(data: bytes, place: int) -> None:
    words = to_words(data).split()
    place %= len(words) - 1
    assert f"word {place + 1}, " in misread(" ".join(words[:place] + words[place + 1 :]))
    twice = misread(" ".join([*words[: place + 1], *words[place:]]))
    assert f"word {place + 2}, " in twice


@given(tickets, st.data())
def test_a_misheard_digit_names_its_group(data: bytes, draw: st.DataObject) -> None:
    digits = to_digits(data)
    places = [place for place, char in enumerate(digits) if char != " "]
    place = draw.draw(st.sampled_from(places))
    other = draw.draw(st.sampled_from([one for one in "0123456789" if one != digits[place]]))
    wrong = digits[:place] + other + digits[place + 1 :]
    group = place // 6
    assert f"group {group + 1} ({wrong.split()[group]})" in misread(wrong)


@given(tickets, st.data())
def test_swapped_digits_and_groups_are_noticed(data: bytes, draw: st.DataObject) -> None:
    groups = to_digits(data).split()
    place = draw.draw(st.integers(0, len(groups) - 2))
    one, other = groups[place], groups[place + 1]
    if one != other:
        swapped = misread(" ".join([*groups[:place], other, one, *groups[place + 2 :]]))
        assert f"group {place + 1} " in swapped
    digit = draw.draw(st.integers(0, 3))
    if one[digit] != one[digit + 1]:
        turned = one[:digit] + one[digit + 1] + one[digit] + one[digit + 2 :]
        assert f"group {place + 1} ({turned})" in misread(
            " ".join([*groups[:place], turned, *groups[place + 1 :]])
        )


def test_a_group_left_out_is_noticed() -> None:
    groups = to_digits(TICKET).split()
    assert "group 2 " in misread(" ".join([groups[0], *groups[2:]]))
    assert "digits are not groups of five" in misread(to_digits(TICKET)[:-1])


def test_a_letter_of_no_ticket_is_named() -> None:
    assert misread("AEAB9-CDEFG-HIJKL-MNOPQ").startswith("letter 5 ")
    assert "some are missing" in misread(to_text(TICKET)[:-1] + "")


@pytest.mark.parametrize("stem", [stem for stem, case in load("ticket").items() if "text" in case])
def test_vectors(stem: str) -> None:
    case = load("ticket")[stem]
    data = bytes.fromhex(case["data"])
    assert (to_text(data), to_words(data), to_digits(data)) == (
        case["text"],
        case["words"],
        case["digits"],
    )
