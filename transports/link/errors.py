"""Errors of the link protocol; every one derives from `LinkError`."""

from transports.errors import TransportError


class LinkError(TransportError):
    """Root of what this package raises. Anything else that escapes is a bug."""


class MalformedFrameError(LinkError):
    """Bytes that do not follow the format: damage, garbage, or a newer version."""


class ForgedFrameError(LinkError):
    """A frame whose check does not fit: damage, or somebody without the keys."""


class FrameTooSmallError(LinkError):
    """What has to be sent does not fit the frames of this link; larger ones are needed."""
