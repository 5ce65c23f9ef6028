"""What may be wrong where a wire is there and the other side is not. Pure."""

from pannier.link_config import LinkConfig, SerialLink

PATIENCE_US = 20_000_000
"""After so long without a session it is said what to look at."""


def hint(config: LinkConfig, *, has_heard: bool) -> str:
    """Return what people may look at.

    Args:
        config: Of the link, which has a peer.
        has_heard: Whether any bytes came.
    """
    peer = config.peer
    if not isinstance(config, SerialLink):
        who = "Somebody answers, but not as" if has_heard else "No answer yet from"
        return f"{who} {peer}: does it link with this node there, and has it got its card?"
    if has_heard:
        return (
            f"Something comes, but no hello from {peer}: are --baud, --parity and --framing "
            "the same there, and has it got this node's card?"
        )
    return f"Nothing comes from {peer} yet: does it link there, and are the wires and --baud right?"
