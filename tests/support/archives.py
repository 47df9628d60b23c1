"""Archives for tests: well-behaved ones, and ones that nobody makes by accident."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping

BLUEPRINT = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
description: two hosts with a web server each
inputs: {size: {default: 2}}
node_templates:
  host:
    type: cloudify.nodes.Compute
    capabilities: {scalable: {properties: {default_instances: {get_input: size}}}}
  server:
    type: cloudify.nodes.WebServer
    relationships: [{type: cloudify.relationships.contained_in, target: host}]
"""

FILES = {"top/blueprint.yaml": BLUEPRINT.encode(), "top/scripts/start.sh": b"#!/bin/sh\n"}


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of a tar; ``fields`` are those of ``TarInfo``."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar_of(entries: Iterable[tuple[tarfile.TarInfo, bytes]], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of just these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind, errors="surrogateescape") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tar(files: Mapping[str, bytes] = FILES) -> bytes:
    """A tar of files."""
    return tar_of(entry(name, content) for name, content in files.items())


def tar_gz(files: Mapping[str, bytes] = FILES, level: int = 9) -> bytes:
    """The same, compressed, and always the same bytes."""
    return gzip.compress(tar(files), level, mtime=0)


def tar_bz2(files: Mapping[str, bytes] = FILES) -> bytes:
    """The same with bzip2."""
    return bz2.compress(tar(files))


def zipped(files: Mapping[str, bytes] = FILES, *, mode: int | None = None) -> bytes:
    """A zip of files; ``mode``: what they are on Unix."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None:
                info.external_attr = mode << 16
            archive.writestr(info, content)
    return out.getvalue()


def blueprint(text: str = BLUEPRINT, name: str = "blueprint.yaml") -> bytes:
    """An archive with one blueprint."""
    return tar_gz({f"top/{name}": text.encode()})
