"""The manager's files: how they arrive, are checked, and get a place that the database can refer to.

Files never change. A *unit* is a folder ``<kind>/<tenant>/<id>/<storage id>`` below the replicated folder: it
is prepared beside it, synced, and renamed into its place, so whoever sees it sees all of it. That it exists
means nothing yet: it belongs to the manager from the moment at which a row with its storage id is committed
(the view ``replicated_files`` lists these). What a crash leaves without a row is swept by the leader, which
keeps away from what is *in the works* (``works``). See ``docs/adr/0010``.
"""

from manager.files.folders import Folders
from manager.files.receiving import Sink
from manager.files.units import Unit, check_id
from manager.files.works import Work

__all__ = ["Folders", "Sink", "Unit", "Work", "check_id"]
