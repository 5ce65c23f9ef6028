"""What a link is told about its line. Pure."""

from dataclasses import dataclass

from transports.link.frame import MAX_FRAME_BYTES

SECOND_US = 1_000_000
LEAST_FRAME_BYTES = 64
"""An offer needs 53."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Fixed for the life of a link.

    Attributes:
        framing: "cobs", "kiss" or "datagram", or what else `framing.framing_named` knows.
        frame_bytes: Longest frame, all of it but the framing.
        is_ordered: Nothing overtakes on this line: what is older than what came is lost.
        rate: Bytes a second that the line carries; None where that has to be found out.
        half_duplex: Who sends hears nothing: the sides take turns. Needs *rate*.
        carries: This side takes bundles for others.
        keepalive_us: After so much silence of the other side it is asked for a sign of life.
        idle_us: After so much silence of the other side the session is over.
        adapts_frames: The length of frames follows the errors seen; for lines, where bits get lost.
        lead_us: How far ahead of the line bytes are handed out.
    """

    framing: str = "cobs"
    frame_bytes: int = 2048
    is_ordered: bool = True
    rate: int | None = None
    half_duplex: bool = False
    carries: bool = False
    keepalive_us: int = 150 * SECOND_US
    idle_us: int = 600 * SECOND_US
    adapts_frames: bool = False
    lead_us: int = 20_000

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: frames too short for an offer or too long, half duplex without a rate, or a
                rate that is none.
        """
        if not LEAST_FRAME_BYTES <= self.frame_bytes <= MAX_FRAME_BYTES:
            raise ValueError(f"frames have {LEAST_FRAME_BYTES} to {MAX_FRAME_BYTES} bytes")
        if self.rate is not None and self.rate < 1:
            raise ValueError("the rate of a line is at least one byte a second")
        if self.half_duplex and self.rate is None:
            raise ValueError("a half-duplex link has to be told the rate of its line")
