"""How many files this process may have open: each ledger takes three, of usually 1,024."""

from contextlib import suppress

# More than any home has ledgers for; where there is no hard limit, macOS still refuses too many.
_MOST = 65_536


def allow_many() -> None:
    """Raise this process's own limit as far as it may, where there is one.

    The low one of most systems is for programs that wait with select(), which knows no file
    descriptor beyond 1,023. Nothing of ours does (`transports.carriers.waiting`).
    """
    try:
        import resource  # noqa: PLC0415 -- not on all systems
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(_MOST, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    for most in (wanted, 10_240):  # the most that macOS grants, whatever it says
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, wanted)), hard))
            return
