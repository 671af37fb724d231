"""Hashes of large files, kept from build to build, so that changing one artifact does not read all weights again.

Where a file lies and what `stat` says of it stand for its bytes, as in `unchanged`, whose rule for files that were just
written holds here, too. `verify` does not ask here: it reads what lies there.
"""

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

from mobile_export.atomic import drafting
from mobile_export.caching.places import cache_root, make_folder
from mobile_export.incremental.unchanged import settled, stat_of
from mobile_export.published.artifact_files import sha256_of

LARGE = 1 << 20
"""Bytes from which on looking a hash up is quicker than hashing."""
_KNOWN = re.compile(r"(\d+ \d+ \d+ \d+ \d+)\n(\d+)\n([0-9a-f]{64})\n")


def known_sha256(path: Path) -> str:
    """Hex digest of a file; read only where it is new, was changed, or is small.

    Raises:
        ModelError: it cannot be read.
    """
    recorded, said = time.time_ns(), stat_of(str(path))
    if not said[0].isdigit() or int(said.split()[0]) < LARGE:
        return sha256_of(path)
    note = Path(cache_root(), "digests", hashlib.sha256(os.fsencode(path.absolute())).hexdigest())
    known = _read(note)
    if known is not None and known[0] == said and settled(said, known[1]):
        return known[2]
    digest = sha256_of(path)
    if stat_of(str(path)) == said:
        _write(note, f"{said}\n{recorded}\n{digest}\n")
    return digest


def _read(note: Path) -> tuple[str, int, str] | None:
    try:
        found = _KNOWN.fullmatch(note.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return None
    return (found[1], int(found[2]), found[3]) if found else None


def _write(note: Path, text: str) -> None:
    with contextlib.suppress(OSError), drafting(Path(make_folder(cache_root(), "digests"), note.name)) as file:
        file.write(text.encode())  # where that fails, the file is hashed again
