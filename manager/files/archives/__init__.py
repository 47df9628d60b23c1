"""Unpacking archives that anybody may have made, to do harm as well.

Entries are looked at one by one, and written by us: nothing of an archive is ever followed, and nothing
existing is written to. What an archive may be is bounded before it is believed (``limits``).
"""

from manager.files.archives.limits import DEFAULT_LIMITS, Limits
from manager.files.archives.unpack import kind_of, unpack

__all__ = ["DEFAULT_LIMITS", "Limits", "kind_of", "unpack"]
