"""``pannier demo``."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Play in this new folder, and keep it."
)
def demo(keep: Path | None) -> None:
    """Show two nodes exchanging a ledger by stick, in a scratch folder.

    Your own node, if you have one, is left alone. Nothing leaves this computer.

    \b
    Examples:  pannier demo
               pannier demo --keep /tmp/demo
    """
    from pannier.cli.root import run  # noqa: PLC0415 -- the root imports this module
    from pannier.demo.story import tell  # noqa: PLC0415

    tell(run, click.echo, keep=keep)
