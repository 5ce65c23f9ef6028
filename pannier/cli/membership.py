"""``pannier ledger share``, ``revoke`` and ``members``."""

import click

from ledger.facts import role_from_label
from ledger.members import Members, Role, members, sizes_to_keep
from ledger.store import Store
from pannier import membership
from pannier.cli.passphrase import is_attended
from pannier.cli.session import (
    choose_ledger,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
    say,
    visible,
)
from pannier.errors import UsageError
from pannier.node import Node
from pannier.times import time_text


@click.command("share")
@click.argument("peer")
@click.option(
    "--role",
    type=click.Choice([role.label for role in Role]),
    help="What it may do; else writer, or reader where only admins write.",
)
@ledger_option
@home_option
def ledger_share(peer: str, role: str | None, ledger: str | None, home: str | None) -> None:
    """Let a peer read and write a ledger. The grant is an entry and travels with it.

    One that was removed may come back so. What it wrote meanwhile stays void.

    \b
    Example:  pannier ledger share home --role reader
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        one = node.peer_named(peer)
        usual = Role.WRITER if members(store).writing is Role.WRITER else Role.READER
        wanted = role_from_label(role) if role else usual
        if membership.share(node, store, one, wanted):
            say(f"{peer} is {_a(wanted)} of {store.genesis.name} from the next exchange on.")
        else:
            now = members(store)[one.card.author].role
            less = f"; for less, `pannier ledger revoke {peer}` first"
            hint = less if role and now is not wanted else ""
            say(f"{peer} is {_a(now)} of {store.genesis.name} already; nothing to do{hint}.")


@click.command("revoke")
@click.argument("who", metavar="MEMBER...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@ledger_option
@home_option
def ledger_revoke(who: tuple[str, ...], yes: bool, ledger: str | None, home: str | None) -> None:
    """Remove members from a ledger. The revocation is an entry and travels with it.

    Of what they wrote only that counts, on all nodes, what is here now. They keep what they have
    read; of what comes they are sent nothing.

    An admin may be removed too. If it removed you, this undoes it if you were there first; name all
    who did.

    \b
    Example:  pannier ledger revoke home
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        authors = [membership.author_named(node, store, name) for name in who]
        kept = [sizes_to_keep(store, author, node.card.author) for author in authors]
        count = sum(sum(sizes.values()) for sizes in kept)
        names = " and ".join(who)
        they = "they" if len(who) > 1 else "it"
        meaning = (
            f"{names} may read nothing of {store.genesis.name} that is written from now on. What "
            f"{they} wrote counts up to now: {plural(count, 'entry')}. Others have to hear of it "
            "first: carry it to them."
        )
        if not yes:
            _confirm(f"{visible(meaning)}\nRemove {visible(names)}?")
        membership.revoke(node, store, authors)
        say(f"Removed {names}. {meaning}")


@click.command("members")
@ledger_option
@json_option
@home_option
def ledger_members(ledger: str | None, as_json: bool, home: str | None) -> None:
    """List who belongs to a ledger, by whose grant, and who was removed.

    \b
    Example:  pannier ledger members
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        known = members(store)
        present = [_present(node, known, author) for author in known]
        gone = [_gone(node, store, known, author) for author in known.removed]
    if as_json:
        print_json([*present, *gone])
        return
    for one in present:
        by = f"granted by {one['granted_by']}" if one["granted_by"] else "from the beginning"
        say(f"{one['name']:20} {one['role']:8} {one['node']}  {by}")
    for one in gone:
        say(
            f"{one['name']:20} {'removed':8} {one['node']}  by {one['removed_by']}, "
            f"{one['removed']}; {one['entries']} of its entries count"
        )


def _present(node: Node, known: Members, author: bytes) -> dict[str, object]:
    one = known[author]
    return {
        "name": node.who(author),
        "role": one.role.label,
        "node": one.card.node_id,
        "granted_by": node.who(one.granted_by) if one.granted_by else None,
    }


def _gone(node: Node, store: Store, known: Members, author: bytes) -> dict[str, object]:
    facts = [said.fact for said in known.removed[author]]
    card = known.card(author)
    return {
        "name": node.who(author),
        "role": None,
        "node": card.node_id if card else None,
        "removed_by": ", ".join(sorted({node.who(fact.log.author) for fact in facts})),
        "removed": time_text(max(fact.entry.time_us for fact in facts)),
        "entries": sum(log.counted for log in store.logs() if log.name.author == author),
    }


def _confirm(question: str) -> None:
    if not is_attended():
        raise UsageError("this is for good: say --yes where nobody can be asked")
    if not click.confirm(question, err=True):
        raise UsageError("nothing was changed")


def _a(role: Role) -> str:
    return f"an {role.label}" if role is Role.ADMIN else f"a {role.label}"
