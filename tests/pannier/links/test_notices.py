from pannier.links.notices import FORGET_US, MOST_SAID, Notices


def test_each_thing_is_said_once() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    for text in ("one", "two", "one"):
        notices.say(text)
    notices.step(0)
    notices.step(2 * FORGET_US)
    notices.say("two")
    assert said == ["one", "two"]


def test_who_has_ever_more_to_say_fills_no_log() -> None:
    said: list[str] = []
    notices = Notices(said.append)
    notices.step(7)
    for number in range(10 * MOST_SAID):
        notices.say(f"problem {number}")
        notices.step(FORGET_US + 6)
    assert len(said) == MOST_SAID
    notices.step(FORGET_US + 7)
    notices.say("something else, later")
    assert said[MOST_SAID:] == ["something else, later"]
