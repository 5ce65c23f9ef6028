"""The group of all commands, and the one place where errors become a line and a status."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click
from transports.errors import TransportError

from bundler.errors import BundleError
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import LedgerError
from pannier.errors import PannierError
from spool.errors import BusyError as SpoolBusyError
from spool.errors import SpoolError

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
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped; nothing that was shown as done is lost", 1)
    except PannierError as error:
        return _fail(str(error), error.exit_status)
    except (LedgerBusyError, SpoolBusyError) as error:
        return _fail(str(error), 4)
    except (LedgerError, BundleError, SpoolError, TransportError) as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", 1)
    except Exception as error:  # noqa: BLE001 -- the outermost frame: no user sees a traceback
        return _fail(f"a bug in pannier: {type(error).__name__}: {error}; please report it", 1)
    return 0


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"pannier: {line}\n")
    return status
