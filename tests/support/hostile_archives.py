"""Archives that were made to do harm, or are broken; beside each, words of what it is refused with.

Some are refused for their size: by limits as small as those of the unit tests.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import tarfile

from tests.support.archives import entry, tar, tar_bz2, tar_gz, tar_of, zipped


def huge_header() -> bytes:
    """A tar whose first header claims, and has, an extended header of 300 KB."""
    return tar_of([entry("top/a", pax_headers={"comment": "x" * 300_000})])


def claimed_size(claim: int) -> bytes:
    """A tar of one file that says to be longer than it is."""
    return entry("top/a", size=claim)[0].tobuf(tarfile.USTAR_FORMAT)


def sparse() -> bytes:
    """An old GNU sparse file: hardly a byte here, and a terabyte when unpacked."""
    block = bytearray(entry("top/a")[0].tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"10000000000\0"
    return checked(block) + bytes(1024)


def checked(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def encrypted() -> bytes:
    content = bytearray(zipped({"top/a": b"1"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def many_in_a_row() -> bytes:
    """Thousands of headers that only say something about the next."""
    header = tar_of([entry("top/a", pax_headers={"comment": "x"})])[:1024]
    return header * 5000


def lying_directory() -> bytes:
    """A zip whose list of files claims to be 4 GB."""
    content = bytearray(zipped({"top/a": b"1"}))
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, 2**32 - 2)
    return bytes(content)


HOSTILE = {
    "a way out by ..": (tar_of([entry("top/../../etc/passwd", b"x")]), "leads out"),
    "a way out in a zip": (zipped({"top/../../x": b"x"}), "leads out"),
    ".. as the top": (tar_of([entry("../x", b"x")]), "leads out"),
    "an absolute name": (tar_of([entry("/etc/passwd", b"x")]), "absolute"),
    "an absolute name in a zip": (zipped({"/etc/passwd": b"x"}), "absolute"),
    "a symbolic link": (tar_of([entry("top/a", type=tarfile.SYMTYPE, linkname="/etc/passwd")]), "is a link"),
    "a link that stays inside": (tar_of([entry("top/a", type=tarfile.SYMTYPE, linkname="b")]), "is a link"),
    "a hard link": (tar_of([entry("top/a", type=tarfile.LNKTYPE, linkname="/etc/passwd")]), "is a link"),
    "a link as the top folder": (tar_of([entry("top", type=tarfile.SYMTYPE, linkname="/")]), "is a link"),
    "a link in a zip": (zipped({"top/a": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777), "is a link"),
    "a device": (tar_of([entry("top/a", type=tarfile.CHRTYPE, devmajor=1, devminor=3)]), "no plain file"),
    "a block device": (tar_of([entry("top/a", type=tarfile.BLKTYPE)]), "no plain file"),
    "a pipe": (tar_of([entry("top/a", type=tarfile.FIFOTYPE)]), "no plain file"),
    "a device in a zip": (zipped({"top/a": b""}, mode=stat.S_IFCHR | 0o666), "no plain file"),
    "a type that nobody knows": (tar_of([entry("top/a", type=b"Q")]), "archive"),
    "a sparse file": (sparse(), "archive"),
    "the same name twice": (tar_of([entry("top/a", b"1"), entry("top/a", b"2")]), "twice"),
    "the same name written otherwise": (tar_of([entry("top/a", b"1"), entry("top/./a", b"2")]), "twice"),
    "a file that is a folder, too": (tar_of([entry("top/a", b"1"), entry("top/a/b", b"2")]), "both"),
    "a folder that is a file, too": (tar_of([entry("top/a/b", b"1"), entry("top/a", b"2")]), "twice"),
    "two top folders": (tar({"a/x": b"1", "b/x": b"2"}), "exactly one folder"),
    "a file beside the top folder": (tar({"top/x": b"1", "y": b"2"}), "exactly one folder"),
    "a file instead of a folder": (tar({"blueprint.yaml": b""}), "exactly one folder"),
    "nothing at all in it": (tar({}) + bytes(10240), "of no kind"),
    "only the present folder": (tar_of([entry("./", type=tarfile.DIRTYPE)]), "is empty"),
    "a name that is no UTF-8": (tar_of([entry("top/\udcff\udcfe", b"x")], tarfile.GNU_FORMAT), "UTF-8"),
    "a name with a line break": (tar({"top/a\nb": b"x"}), "cannot be printed"),
    "a name with NUL": (zipped({"top/a": b"1"}).replace(b"top/a", b"to\0/a"), "cannot be printed"),
    "a name that is too long": (tar({f"top/{'x' * 256}": b"x"}), "too long"),
    "a path that is too long": (tar({"top/" + "abc/" * 300 + "x": b"x"}), "too long"),
    "too many entries": (tar({f"top/{number}": b"" for number in range(21)}), "entries"),
    "too many folders in few names": (tar({"top/" + "a/" * 30 + "x": b""}), "entries"),
    "a gzip bomb": (tar_gz({"top/a": bytes(2_000_000)}), "more than it may"),
    "a bzip2 bomb": (tar_bz2({"top/a": bytes(2_000_000)}), "more than it may"),
    "a zip bomb": (zipped({"top/a": bytes(2_000_000)}), "more than it may"),
    "a header that is too long": (huge_header(), "header"),
    "headers without end": (many_in_a_row(), "headers"),
    "a zip whose directory is too long": (lying_directory(), "archive"),
    "a file that is longer than the archive": (claimed_size(10_000), "damaged"),
    "a size beyond all bounds": (claimed_size(8**11 - 1), "damaged"),
    "a tar that breaks off": (tar({"top/a": bytes(5000)})[:3000], "damaged"),
    "a tar with garbage in the middle": (tar({"top/a": b"1"})[:1024] + b"garbage!" * 128, "damaged"),
    "a tar.gz that breaks off": (tar_gz({"top/a": os.urandom(50_000)})[:-20_000], "damaged"),
    "a tar.gz with a wrong bit": (bytes(tar_gz()[:40]) + b"\xff" * 30 + tar_gz()[70:], "damaged"),
    "a tar.bz2 with a wrong bit": (tar_bz2()[:40] + b"\xff" * 30 + tar_bz2()[70:], "damaged"),
    "a zip that breaks off": (zipped()[:-30], "damaged"),
    "a zip with a wrong checksum": (
        zipped({"top/a": b"1"}).replace(b"\xb7\xef\xdc\x83", b"\0\0\0\0"),
        "damaged",
    ),
    "a zip that is encrypted": (encrypted(), "encrypted"),
    "something else": (b"#!/bin/sh\nrm -rf /\n" * 100, "of no kind"),
    "nothing": (b"", "of no kind"),
    "something else that is compressed": (gzip.compress(b"hello" * 1000), "damaged"),
}
