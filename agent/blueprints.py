"""The files of blueprints on the agent: an archive is fetched when an operation needs it first, and kept."""

from __future__ import annotations

import re
import shutil
import uuid
from functools import cache
from pathlib import Path
from urllib.parse import quote

from agent.rest import NOBODY, Manager, RestFailed
from agent.settings import OWN_FOLDER, Folder
from manager.errors import RestError
from manager.files.archives import unpack


class Blueprints:
    """Of one operation. A blueprint that was deleted and uploaded again is another one."""

    def __init__(self, folder: Folder, manager: Manager, tenant: str) -> None:
        self._folder, self._manager, self._tenant = folder, manager, tenant
        self.content = cache(self._content)

    def _content(self, identifier: str) -> Path:
        """The inside of the archive. Raises ``RestFailed``."""
        told = self._manager.get(f"/blueprints/{quote(identifier, safe='')}", _include="id,created_at")
        made_at = re.sub(r"\D", "", told["created_at"])
        top = self._folder.blueprints / self._tenant / identifier
        place = top / made_at
        if not place.is_dir():
            self._fetch(identifier, place)
            for older in [other for other in top.iterdir() if other.name.isdigit() and other.name < made_at]:
                shutil.rmtree(older, ignore_errors=True)
        return place

    def _fetch(self, identifier: str, place: Path) -> None:
        place.parent.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
        # Two operations may fetch one archive at a time: each has its own place, and one of them is kept.
        mine = place.parent / f".{uuid.uuid4().hex}"
        archive = mine.with_suffix(".archive")
        try:
            self._manager.download(f"/blueprints/{quote(identifier, safe='')}/archive", archive)
            unpack(archive, mine)
            mine.rename(place)
        except RestError as error:
            raise RestFailed(f"The archive cannot be unpacked: {error}", status_code=NOBODY) from error
        except OSError:
            if not place.is_dir():
                raise
        finally:
            archive.unlink(missing_ok=True)
            shutil.rmtree(mine, ignore_errors=True)
