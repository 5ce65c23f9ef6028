"""The group of all commands, and the one place where errors become a line and a status."""

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

from bundler.errors import BundleError
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import DamagedError, LedgerError
from pannier.bulk import few_collections
from pannier.errors import PannierError


class Entrance(NamedTuple):
    """What is known of a command before its module is imported."""

    module: str
    summary: str


COMMANDS = {
    "init": Entrance("identity", "Make this computer a node: its keys and its folder."),
    "card": Entrance("identity", "Print this node's card, to give to a peer."),
    "passwd": Entrance("passwd", "Change the passphrase of the keys."),
    "peer": Entrance("identity", "Add, list, show and forget the nodes that this one knows."),
    "ledger": Entrance("ledgers", "Make, list, share, back up and restore ledgers."),
    "put": Entrance("put", "Append an entry about a thing, or many from a file."),
    "get": Entrance("entries", "Show what a thing is now."),
    "log": Entrance("entries", "Show the history of a thing, or of everything."),
    "things": Entrance("entries", "List the things in a ledger."),
    "delete": Entrance("put", "Say that a thing is no more."),
    "add": Entrance("files", "Put files and folders into a ledger."),
    "checkout": Entrance("files", "Bring the files of a ledger into a folder."),
    "verify": Entrance("verify", "Recompute every hash, checkpoint and signature."),
    "prove": Entrance("prove", "Write a file that proves one entry to anybody."),
    "check-proof": Entrance("prove", "Check such a file; needs no node."),
    "exchange": Entrance("carry", "Exchange with a stick or drop folder, both ways."),
    "pack": Entrance("carry", "Write fragments for a peer into a folder: the way out."),
    "unpack": Entrance("carry", "Take in fragments from files and folders: the way in."),
    "ticket": Entrance("ticket", "Ask, or answer, for what did not arrive on a one-way link."),
    "plan": Entrance("plan", "Show what fits this hour, and when the rest is there."),
    "review": Entrance("review", "Look at what waits for your word; let it in or not."),
    "link": Entrance("link", "Link with another node: serial line, radio or network."),
    "run": Entrance("carry", "Serve the configured folders and sticks, until stopped."),
    "status": Entrance("status", "Show what waits, for whom, and on which stick it travels."),
    "demo": Entrance("show_demo", "Show two nodes and a stick, in a scratch folder."),
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
        module = import_module(f"pannier.cli.{COMMANDS[cmd_name].module}")
        command = getattr(module, cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of all commands, for which none of them is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.summary) for name, one in COMMANDS.items()])


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
    On each of two computers, once:
      pannier init --name farm              the other one: --name home
      pannier card > farm.card              carry this file to the other one
      pannier peer add home home.card       and add the card that came from there
    Then on one of them:
      pannier put field/3 '{"moisture": 0.31}'
      pannier ledger share home
      pannier exchange /media/stick         carry the stick, run the same there
    `pannier demo` shows all this in a minute.
    """
    ctx.obj = home


_IN_A_LEDGER = "the ledger file"
"""What says of a row that it is not as it was written."""


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; whatever fails is one line on standard error."""
    try:
        with few_collections():
            status = pannier.main(args=list(arguments), prog_name="pannier", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except (BrokenPipeError, SystemExit):  # click ends the process when nobody reads on
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- no user sees a traceback
        message, status = explain(error)
        message = _advised(message, error)
        click.echo(f"pannier: {_as_line(message)}", err=True)
        return status
    return status if isinstance(status, int) else 0


def explain(error: BaseException) -> tuple[str, int]:
    """Return what a user should read about *error*, and the exit status."""
    # Their packages bring more with them than `--help` has time for.
    from spool.errors import BusyError as SpoolBusyError  # noqa: PLC0415
    from spool.errors import SpoolError  # noqa: PLC0415
    from transports.errors import TransportError  # noqa: PLC0415

    match error:
        case click.Abort() | KeyboardInterrupt():
            return "stopped; nothing that was shown as done is lost", 1
        case click.ClickException():
            return _usage(error), error.exit_code
        case PannierError():
            return str(error), error.exit_status
        case LedgerError() | BundleError() | SpoolError() | TransportError():
            is_busy = isinstance(error, LedgerBusyError | SpoolBusyError)
            return f"{error}{_remedy(error)}", 4 if is_busy else 1
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}", 1
        case _:
            return f"a bug in pannier: {type(error).__name__}: {error}; please report it", 1


def _advised(message: str, error: BaseException) -> str:
    """Return *message* and what to do about a disk that refused, unless it says so already."""
    from pannier.cli.advice import advice  # noqa: PLC0415 -- only when something went wrong

    found = advice(error)
    return message if found is None or ", then " in message else f"{message}; {found}"


def _remedy(error: Exception) -> str:
    """Return what to do about a damaged row, which does not know in which file it is."""
    if isinstance(error, DamagedError) and _IN_A_LEDGER in str(error):
        return "; `pannier verify` says in which, `pannier verify --repair` mends it"
    return ""


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "pannier"
    return f"{error.format_message().rstrip('.')}; see `{where} --help`"


def _as_line(text: str) -> str:
    """Return *text* as one line that does nothing to a terminal, whoever wrote parts of it."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
