"""``pannier review``: what waits for a person's word before it changes a ledger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import click

from pannier import unreadable
from pannier.cli.reports import quarantine_line, report_json, report_lines
from pannier.cli.session import (
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
    visible,
)
from pannier.decisions import Decision, decisions
from pannier.errors import PartlyDoneError
from pannier.names import set_apart
from pannier.review import Inside, accept, find, look, refuse, waiting
from pannier.summary import AuthorSummary, LedgerSummary, one_line
from pannier.times import time_text


@click.group()
def review() -> None:
    """Look at what waits for your word, and let it in or not.

    \b
    What waits: all that comes from a peer or medium with `import = "review"` in config.toml.
    Example:  pannier review list
              pannier review show 3f1a
              pannier review accept 3f1a
    """


@review.command("list")
@click.option("--decided", is_flag=True, help="Show what was decided instead.")
@json_option
@home_option
def list_command(decided: bool, as_json: bool, home: str | None) -> None:
    """List the bundles that wait for your word, or what you decided.

    \b
    Example:  pannier review list --decided
    """
    with open_node(home) as node:
        if decided:
            _list_decided(decisions(node.db), as_json=as_json)
            return
        found = [look(node, one) for one in waiting(node)]
    if as_json:
        print_json([_inside_json(one) for one in found])
        return
    if not found:
        click.echo("Nothing waits for review.")
    for one in found:
        click.echo(f"{one.waiting.bundle_id}  from {visible(_who(one))}: {visible(_gist(one))}")


@review.command()
@click.argument("bundle", metavar="ID")
@json_option
@home_option
def show(bundle: str, as_json: bool, home: str | None) -> None:
    """Show all that is in a bundle: ledgers, authors, kinds, and who becomes a member.

    \b
    ID is what `pannier review list` prints, or the first letters of it.
    Example:  pannier review show 3f1a
    """
    with open_node(home) as node:
        inside = look(node, find(node, [bundle])[0])
    if as_json:
        print_json(_inside_json(inside))
        return
    for line in _inside_lines(inside):
        click.echo(visible(line))


@review.command("accept")
@click.argument("bundles", metavar="ID...", nargs=-1, required=True)
@json_option
@home_option
def accept_command(bundles: Sequence[str], as_json: bool, home: str | None) -> None:
    """Let bundles in, now; what they bring is not asked about again.

    \b
    Example:  pannier review accept 3f1a 90c2
    """
    with open_node(home) as node:
        report = accept(node, find(node, bundles))
        problems = unreadable.problems(node)
    if as_json:
        print_json(report_json(report))
    else:
        for line in report_lines(report):
            click.echo(visible(line))
    if report.reasons:
        problems.insert(0, quarantine_line(report))
    if problems:
        raise PartlyDoneError("; ".join(problems))


@review.command("refuse")
@click.argument("bundles", metavar="ID...", nargs=-1, required=True)
@click.option("--why", default="", metavar="TEXT", help="A line that the sender is told.")
@json_option
@home_option
def refuse_command(bundles: Sequence[str], why: str, as_json: bool, home: str | None) -> None:
    """Keep bundles out for good: they go to quarantine, and their sender is told.

    \b
    Example:  pannier review refuse 3f1a --why "these readings are from the wrong field"
    """
    with open_node(home) as node:
        chosen = find(node, bundles)
        report = refuse(node, chosen, why)
        problems = unreadable.problems(node)
    if as_json:
        print_json(report_json(report))
    else:
        click.echo(f"Refused {plural(len(chosen), 'bundle')}; the sender hears of it.")
        for line in report_lines(report):
            click.echo(visible(line))
    if problems:
        raise PartlyDoneError("; ".join(problems))


def _list_decided(found: Sequence[Decision], *, as_json: bool) -> None:
    if as_json:
        print_json([one._asdict() for one in found])
        return
    if not found:
        click.echo("Nothing was decided yet.")
    for one in found:
        reason = f" ({one.reason})" if one.reason else ""
        line = f"{one.bundle}  {time_text(one.time_us)}  {one.verdict} from {one.sender}: "
        click.echo(visible(f"{line}{one.summary}{reason}"))


def _inside_json(inside: Inside) -> Mapping[str, object]:
    one = inside.waiting
    return {
        "bundle": one.bundle_id,
        "sender": one.sender,
        "sender_proven": inside.is_proven,
        "time": inside.time_us,
        "size_bytes": one.size_bytes,
        "problem": inside.problem,
        "ledgers": [
            {**asdict(ledger), "authors": [asdict(each) for each in ledger.authors.values()]}
            for ledger in inside.ledgers
        ],
    }


def _who(inside: Inside) -> str:
    """Return who sent a bundle; of a group nobody knows who."""
    sender = inside.waiting.sender
    return sender if inside.is_proven or inside.problem else f"{sender}, nobody can say which"


def _gist(inside: Inside) -> str:
    size = f"{inside.waiting.size_bytes:,} bytes"
    return f"{inside.problem or one_line(inside.ledgers)} ({size})"


def _inside_lines(inside: Inside) -> Iterator[str]:
    one = inside.waiting
    yield f"Bundle {one.bundle_id}, {one.size_bytes:,} bytes, from {_who(inside)}"
    if inside.time_us is not None:
        yield f"  made {time_text(inside.time_us)} by its sender's clock"
    if inside.problem:
        yield f"  cannot be told what is in it: {inside.problem}"
    for ledger in inside.ledgers:
        yield from _ledger_lines(ledger)


def _ledger_lines(ledger: LedgerSummary) -> Iterator[str]:
    new = f", new here, founded by {', '.join(ledger.admins)}" if ledger.admins else ""
    yield f"  ledger {set_apart(ledger.name) or 'unknown here'} ({ledger.ledger[:8]}){new}"
    for author in ledger.authors.values():
        yield from _author_lines(author)
    for name, role, fingerprint in ledger.grants:
        yield f"    GRANT: {name} becomes {role}; card {fingerprint}"
    for name in ledger.revocations:
        yield f"    REVOKE: {name} is removed"
    if ledger.unlisted:
        yield f"    and {plural(ledger.unlisted, 'grant or revocation', 'grants or revocations')}"
    if ledger.forks:
        yield f"    {plural(ledger.forks, 'proof')} that an author signed two histories"


def _author_lines(author: AuthorSummary) -> Iterator[str]:
    new = ", NEW AUTHOR" if author.is_new else ""
    known = f", {author.known:,} known already" if author.known else ""
    count = plural(author.entries, "entry")
    yield f"    {count} by {author.name} ({author.author[:8]}){new}{known}"
    for name, count_of in sorted(author.kinds.items()):
        yield f"      {count_of:,} of {f'kind {name}' if name else 'no kind'}"
    others = {name: number for name, number in author.actions.items() if name != "put"}
    if others:
        yield "      of these " + ", ".join(f"{number:,} {name}" for name, number in others.items())
