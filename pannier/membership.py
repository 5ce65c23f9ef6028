"""Who belongs to a ledger, as an admin decides it: share it with somebody, remove somebody."""

from collections.abc import Sequence

from ledger.append import Draft
from ledger.card import Card
from ledger.entry import MEMBERS_THING, Action
from ledger.errors import RefusedError
from ledger.facts import MAX_AFTER, Grant, Revocation
from ledger.genesis import Term
from ledger.members import Members, Role, members, sizes_to_keep
from ledger.store import Store
from pannier.errors import UsageError
from pannier.home import Peer
from pannier.ledgers import put
from pannier.node import Node
from pannier.rotation import tend_epochs


def share(node: Node, store: Store, peer: Peer, role: Role) -> bool:
    """Make *peer* a member; return False if it is one already, with that role or a higher one.

    One that was removed becomes a member again: of the logs that it wrote before counts what
    counted then, and it goes on in a new one.

    Raises:
        UsageError: this node is not an admin of the ledger, or nobody can have that role in it.
        LedgerError: it could not be written.
    """
    known = members(store)
    own = known.get(node.card.author)
    if own is None or own.role is not Role.ADMIN:
        raise _not_an_admin(node, store, known)
    if Role.READER < role < known.writing:
        raise UsageError(
            f"{store.genesis.name} is centralized, only its admins write: share it with "
            f"{peer.name} as reader or admin"
        )
    already = known.get(peer.card.author)
    if already is not None and already.role >= role:
        return False
    put(node, store, grant_drafts(node, store, peer.card, role))
    tend_epochs(node, store)
    return True


def author_named(node: Node, store: Store, name: str) -> bytes:
    """Return the member of a ledger that people here call *name*, or that has it as node id.

    Raises:
        UsageError: none is, or several are.
    """
    known = members(store)
    called = {author: (node.who(author), known[author].card.node_id) for author in known}
    # An id is nobody's name: it means the same, whatever others call themselves.
    found = [author for author, (_, node_id) in called.items() if node_id == name] or [
        author for author, (who, _) in called.items() if who == name
    ]
    if len(found) == 1:
        return found[0]
    ledger = store.genesis.name
    if found:
        ids = ", ".join(called[author][1] for author in found)
        raise UsageError(f"several members of {ledger} are called {name}: say which of {ids}")
    names = ", ".join(sorted(one for one, _ in called.values()))
    raise UsageError(f"no member of {ledger} is called {name}; there is {names}")


def revoke(node: Node, store: Store, authors: Sequence[bytes]) -> None:
    """Remove *authors*: they may read nothing that comes, and what they write from now on is void.

    An admin whom they removed may do this too, if it names all who did: whoever was there first
    wins (docs/format.md section 3.4).

    Raises:
        UsageError: this node is not an admin of the ledger, one of *authors* is no member, or they
            are not all who removed this node, or one of them is more senior.
        LedgerError: it could not be written.
    """
    known = members(store)
    own = known.get(node.card.author)
    may_be_admin = own.role is Role.ADMIN if own else node.card.author in known.removed
    if not may_be_admin:
        raise _not_an_admin(node, store, known)
    for author in authors:
        if author == node.card.author:
            raise UsageError("nobody removes itself: ask another admin of the ledger to do it")
        if author not in known:
            raise UsageError(f"{node.who(author)} is no member of {store.genesis.name}")
    drafts = [draft for author in authors for draft in revoke_drafts(node, store, author)]
    try:
        put(node, store, drafts)
    except RefusedError as error:
        removers = {said.fact.log.author for said in known.removals_of(node.card.author).values()}
        names = ", ".join(sorted(map(node.who, removers)))
        raise UsageError(
            f"you were removed from {store.genesis.name} by {names}: only who is more senior than "
            "all of these can undo that, by removing them together"
        ) from error
    tend_epochs(node, store)


def grant_drafts(node: Node, store: Store, card: Card, role: Role) -> list[Draft]:
    """Return what this node writes, in one batch, to make the owner of *card* a member."""
    after = sorted(members(store).removals_of(card.author))
    if len(after) > MAX_AFTER:
        raise UsageError(f"{card.name} was removed {len(after)} times: it needs a new identity")
    grant = Grant(card=card, role=role, after=tuple(after))
    return [_draft(node, Action.GRANT, grant.to_payload())]


def revoke_drafts(node: Node, store: Store, author: bytes) -> list[Draft]:
    """Return what this node writes, in one batch, to remove *author*."""
    sizes = sizes_to_keep(store, author, node.card.author)
    revocation = Revocation(author=author, sizes=sizes)
    return [_draft(node, Action.REVOKE, revocation.to_payload())]


def _draft(node: Node, action: Action, payload: bytes) -> Draft:
    return Draft(thing=MEMBERS_THING, payload=payload, time_us=node.clock(), action=action)


def _not_an_admin(node: Node, store: Store, known: Members) -> UsageError:
    if Term.PASSPHRASE in store.genesis.terms:
        return UsageError(
            f"who has the passphrase of {store.genesis.name} is in it, and nobody else: to leave "
            "somebody out, make another ledger with another passphrase"
        )
    admins = [node.who(author) for author in known if known[author].role is Role.ADMIN]
    return UsageError(
        f"only an admin of {store.genesis.name} can do this: "
        f"ask {', '.join(admins) or 'whoever removed them all'}"
    )
