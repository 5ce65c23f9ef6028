import pytest

from pannier.link_config import LinkConfig, SerialLink, TcpLink
from pannier.links.hints import hint


@pytest.mark.parametrize(
    ("config", "has_heard", "says"),
    [
        (SerialLink(peer="home"), False, "Nothing comes from home yet"),
        (SerialLink(peer="home"), True, "the same there, and has it got this node's card?"),
        (TcpLink(peer="home"), False, "No answer yet from home"),
        (TcpLink(peer="home"), True, "Somebody answers, but not as home"),
    ],
)
def test_says_what_to_look_at(config: LinkConfig, has_heard: bool, says: str) -> None:
    text = hint(config, has_heard=has_heard)
    assert says in text
    assert text.endswith("?")
