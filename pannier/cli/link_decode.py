"""``pannier link decode``: what went over a wire, from a captured stream. Needs no node."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from pannier.cli.session import json_option, print_json, stdin_bytes
from transports.link.decode import GARBAGE, decode
from transports.link.frame import MAX_FRAME_BYTES
from transports.link.framing import PIPES

_CHUNK_BYTES = 1 << 16


@click.command("decode")
@click.argument("file", metavar="FILE")
@click.option(
    "--framing",
    type=click.Choice(list(PIPES)),
    default="cobs",
    show_default=True,
    help="What the stream was sent with.",
)
@json_option
def decode_command(file: str, framing: str, as_json: bool) -> None:
    """Print a captured stream of a link frame by frame, one direction. Needs no node.

    \b
    Examples:  pannier link decode capture.bin
               pannier link decode --json - < capture.bin
    A line has the offset in the stream, the bytes there, the kind of frame, whether its check fits,
    and what it says. A MAC is unchecked: nobody but the two sides has its key. See docs/link.md.
    """
    if file == "-":
        _print(stdin_bytes(), framing, as_json=as_json)
    else:
        with Path(file).open("rb") as opened:
            _print(opened, framing, as_json=as_json)


def _print(stream: BinaryIO, framing: str, *, as_json: bool) -> None:
    kinds: set[str] = set()
    for decoded in decode(_chunks(stream), PIPES[framing](MAX_FRAME_BYTES)):
        kinds.add(decoded.kind)
        if as_json:
            shown = {name: getattr(decoded, name) for name in decoded.__slots__}
            print_json(shown)
        else:
            click.echo(decoded.to_line())
    if as_json:
        return
    if not kinds:
        click.echo("Nothing was captured: there is no frame in it.")
    elif kinds == {GARBAGE}:
        others = ", ".join(name for name in PIPES if name != framing)
        click.echo(f"None of it is a frame in {framing}: try --framing with {others}.")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    return iter(partial(stream.read, _CHUNK_BYTES), b"")
