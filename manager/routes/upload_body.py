"""The body of an upload: the archive itself, or, from newer clients, a form that holds it.

Existing clients call both of them ``application/json``, or leave the type out, so only a multipart type says
anything. Nothing is kept in memory: pieces go to the disk, in threads of their own, so that slow disks slow
down nobody but those who write to them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread
from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from manager.errors import BadParameters
from manager.fetching import FetchError, pieces
from manager.files import Sink
from manager.files.receiving import Received

MEGABYTE = 1024 * 1024
MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 20
URL_TIMEOUT_S = 600.0

AT_ONCE = 8
"""How many uploads write, and how many are unpacked and parsed, at a time: half of these."""


class Places:
    """Threads for uploads alone: they take none from those who only read. One for each event loop."""

    def __init__(self) -> None:
        self.writing = anyio.CapacityLimiter(AT_ONCE)
        self.working = anyio.CapacityLimiter(AT_ONCE // 2)


class Form:
    """Takes a multipart body apart as it comes: files are handed out, other fields kept in ``fields``."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, bytearray] = {}
        self.finished = False
        self._header = bytearray()
        self._value = bytearray()
        self._is_disposition = False
        self._field: bytearray | None = None
        self._pieces: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": self._add,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """What of the file is in the next chunk. Raises ``BadParameters``."""
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadParameters(f"The form cannot be read: {error}") from error
        return self._pieces

    def _begin(self) -> None:
        self._field = bytearray()

    def _end_header(self) -> None:
        if self._header.strip().lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            if b"filename" in options:
                self._field = None
            elif self._field is not None:
                self._keep(options.get(b"name", b"").decode(errors="replace"), self._field)
        self._header.clear()
        self._value.clear()

    def _keep(self, name: str, field: bytearray) -> None:
        if len(self.fields) >= MAX_FIELDS:
            raise BadParameters(f"The form has more than {MAX_FIELDS} fields")
        self.fields[name] = field

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._field.extend(data[start:end])
        if len(self._field) > MAX_FIELD_BYTES:
            raise BadParameters(f"A field of the form is longer than {MAX_FIELD_BYTES} bytes")

    def _end(self) -> None:
        self.finished = True


def parameters(form: Form) -> dict[str, Any]:
    """The field ``params`` of a form, a JSON object. Raises ``BadParameters``."""
    try:
        given = json.loads(form.fields.get("params", b"{}"))
    except ValueError as error:
        raise BadParameters("The field `params` of the form is not valid JSON") from error
    if not isinstance(given, dict):
        raise BadParameters("The field `params` of the form is not a JSON object")
    return given


async def receive(request: Request, sink: Sink) -> dict[str, Any]:
    """Write the file of a body to ``sink``, and return the parameters that came with it.

    Raises ``BadParameters``, ``TooLarge``, ``StorageFull``; and ``ClientDisconnect`` when the body broke off.
    """
    places: Places = request.app.state.upload_places
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        await _write(request.stream(), sink, places, lambda chunk: [chunk])
        return {}
    try:
        form = Form(options.get(b"boundary", b""))
    except FormParserError as error:
        raise BadParameters(f"The form cannot be read: {error}") from error
    await _write(request.stream(), sink, places, form.feed)
    if not form.finished:
        raise BadParameters("The form broke off")
    return parameters(form)


async def _write(
    chunks: AsyncIterator[bytes], sink: Sink, places: Places, take: Callable[[bytes], list[bytes]]
) -> None:
    buffer = bytearray()
    async for chunk in chunks:
        for piece in take(chunk):
            buffer += piece
        if len(buffer) >= MEGABYTE:
            await anyio.to_thread.run_sync(sink.write, bytes(buffer), limiter=places.writing)
            buffer.clear()
    await anyio.to_thread.run_sync(sink.write, bytes(buffer), limiter=places.writing)


def fetch(url: str, sink: Sink, max_bytes: int) -> None:
    """Write to ``sink`` what lies at a URL. Raises ``BadParameters``, ``StorageFull``."""
    try:
        for piece in pieces(url, max_bytes=max_bytes, timeout_s=URL_TIMEOUT_S):
            sink.write(piece)
    except FetchError as error:
        raise BadParameters(f"The archive could not be fetched: {error}") from error


async def finish(request: Request, sink: Sink) -> Received:
    """It has all arrived."""
    places: Places = request.app.state.upload_places
    return await anyio.to_thread.run_sync(sink.finish, limiter=places.writing)
