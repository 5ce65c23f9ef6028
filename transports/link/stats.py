"""What a link has counted. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Running totals over all sessions of a link.

    Attributes:
        bytes_in: As they came from the carrier.
        bytes_out: As they were handed to it.
        payload_in: Bytes of wares that arrived, damaged or doubled ones not counted.
        payload_out: Bytes of wares that were sent, again or for the first time.
        frames_in: That belonged to the session.
        frames_out: All.
        lost: Own packets that were given up.
        dropped: What came and was damaged, forged, double or of another session.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    payload_in: int = 0
    payload_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    lost: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class LinkStats:
    """A snapshot: the totals, and how the line is now.

    Attributes:
        counts: Totals; a copy.
        is_established: Whether there is a session.
        srtt_us: Smoothed round trip.
        rate: Bytes a second that are sent at most.
        frame_bytes: Length of a frame at present.
        resent: Bytes of wares that were lost, and went again or will.
        waiting: Wares that are offered, and were not taken or refused in this session.
        to_send: Bytes of wares that are wanted and not known to have come.
        to_come: Bytes of wares that were asked for and did not come yet.
        is_through: Whether neither side has anything left to do, which the other one has said.
        rest_is_known: Whether the other side is known to have heard it of this one.
    """

    counts: Counts
    is_established: bool
    srtt_us: int
    rate: int
    frame_bytes: int
    resent: int
    waiting: int
    to_send: int
    to_come: int
    is_through: bool
    rest_is_known: bool
