"""Where bundles and fragments wait: atomic queues on disk. To it a fragment is a name and bytes.

This package re-exports pure names only; `spool.tree` has the spool itself, `spool.watcher` what
tells of arrivals.
"""

from spool.errors import SpoolError
from spool.name import UNKNOWN_PEER, BundleName, FragmentName
from spool.quotas import Quotas

__all__ = ["UNKNOWN_PEER", "BundleName", "FragmentName", "Quotas", "SpoolError"]
