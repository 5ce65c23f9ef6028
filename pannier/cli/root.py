"""The group of all commands, and the one place where errors become a line and a status."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from bundler.errors import BundleError
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import LedgerError
from pannier.errors import PannierError
from spool.errors import BusyError as SpoolBusyError
from spool.errors import SpoolError
from transports.errors import TransportError

COMMANDS = {
    "init": "pannier.cli.identity",
    "card": "pannier.cli.identity",
    "peer": "pannier.cli.identity",
    "ledger": "pannier.cli.ledgers",
    "put": "pannier.cli.entries",
    "get": "pannier.cli.entries",
    "log": "pannier.cli.entries",
    "things": "pannier.cli.entries",
    "delete": "pannier.cli.entries",
    "verify": "pannier.cli.entries",
    "exchange": "pannier.cli.carry",
    "pack": "pannier.cli.carry",
    "unpack": "pannier.cli.carry",
    "run": "pannier.cli.carry",
    "status": "pannier.cli.status",
    "demo": "pannier.cli.show_demo",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pannier")
@click.option(
    "--home",
    envvar="PANNIER_HOME",
    metavar="DIR",
    help="The node's folder.  [env: PANNIER_HOME; default: the platform's data folder]",
)
@click.pass_context
def pannier(ctx: click.Context, home: str | None) -> None:
    """Carry signed ledgers between computers that are rarely, or never, online together.

    \b
    A first exchange, on each of two computers:
      pannier init --name farm
      pannier card > farm.card              carry it to the other one
      pannier peer add home home.card
    Then on one of them:
      pannier put field/3 '{"moisture": 0.31}'
      pannier ledger share home
      pannier exchange /media/stick         carry the stick, run the same there
    """
    ctx.obj = home


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; whatever fails is one line on standard error."""
    try:
        pannier.main(args=list(arguments), prog_name="pannier", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- no user sees a traceback
        message, status = explain(error)
        sys.stderr.write(f"pannier: {' '.join(message.split())}\n")
        return status
    return 0


def explain(error: BaseException) -> tuple[str, int]:
    """Return what a user should read about *error*, and the exit status."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "stopped; nothing that was shown as done is lost", 1
        case PannierError():
            return str(error), error.exit_status
        case LedgerBusyError() | SpoolBusyError():
            return str(error), 4
        case LedgerError() | BundleError() | SpoolError() | TransportError():
            return str(error), 1
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}", 1
        case _:
            return f"a bug in pannier: {type(error).__name__}: {error}; please report it", 1
