"""Which checkpoint a path means.

A checkpoint is known by its prefix: `model.ckpt` for `model.ckpt.index`, `model.ckpt.data-00000-of-00001`, … Some have
no base name (`saved/.index`); no Path can end in nothing, so there the folder itself is the prefix.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mobile_export.errors import ModelError

_FILE = re.compile(r"(?P<base>.*)\.(index|meta|data-\d{5}-of-\d{5})", re.DOTALL)
_STATE = re.compile(r'^\s*model_checkpoint_path:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
_LISTED = 5


def checkpoint_file(prefix: Path, suffix: str) -> Path:
    """The file `prefix` + `suffix`; a folder with an `.index` in it is a prefix whose base name is empty."""
    if (prefix / ".index").is_file() and not Path(f"{prefix}.index").is_file():
        return prefix / suffix
    return Path(f"{prefix}{suffix}")


def find_checkpoint(path: Path) -> Path:
    """The prefix of the checkpoint that `path` means.

    Args:
        path: a prefix, one of the checkpoint's files, or a folder with one checkpoint or a `checkpoint` file. Of the
            path in that file only the base name counts: folders move, and nothing outside of them is read.

    Raises:
        ModelError: there is no checkpoint, or there are several.
    """
    if path.is_dir() and not checkpoint_file(path, ".index").is_file():
        return _in_folder(path)
    named = _FILE.fullmatch(path.name)
    prefix = _join(path.parent, named["base"]) if named else path
    if checkpoint_file(prefix, ".index").is_file():
        return prefix
    if prefix.is_file():
        raise ModelError(f"{prefix}: not a V2 checkpoint, which has a {prefix.name}.index; save it again as one")
    raise ModelError(f"{prefix}.index: missing; {_found(_prefixes(prefix.parent))}")


def _in_folder(folder: Path) -> Path:
    """The checkpoint that the folder's `checkpoint` file names, or the only one."""
    state = folder / "checkpoint"
    prefixes = _prefixes(folder)
    latest = _latest(state) if state.is_file() else None
    if latest is not None:
        prefix = _join(folder, latest)
        if not checkpoint_file(prefix, ".index").is_file():
            raise ModelError(f"{state}: names {latest!r}, which is not in this folder; {_found(prefixes)}")
        return prefix
    if len(prefixes) != 1:
        raise ModelError(f"{folder}: which checkpoint is meant is not clear; {_found(prefixes)}")
    return prefixes[0]


def _latest(state: Path) -> str | None:
    """The base name in a `checkpoint` file, a text protobuf."""
    from google.protobuf import text_encoding

    try:
        found = _STATE.search(state.read_text("utf-8", "replace"))
        whole = text_encoding.CUnescape(found[1]).decode("utf-8", "replace") if found else None
    except OSError as error:
        raise ModelError(f"{state}: cannot be read: {error.strerror}; name the checkpoint itself") from error
    except ValueError:
        raise ModelError(f"{state}: model_checkpoint_path has a bad escape; name the checkpoint itself") from None
    return None if whole is None else re.split(r"[/\\]", whole)[-1]


def _join(folder: Path, base: str) -> Path:
    """The prefix `base` in `folder`; without a base name, the folder stands for it (see `checkpoint_file`)."""
    if not base and Path(f"{folder}.index").is_file():
        raise ModelError(f"{folder}/.index: cannot be told from {folder}.index; give one of them another name")
    return folder / base


def _prefixes(folder: Path) -> list[Path]:
    """All checkpoints in `folder`, leaving out what macOS writes beside files on foreign disks."""
    files = sorted(path for path in folder.glob("*.index") if path.is_file() and not path.name.startswith("._"))
    return [_join(folder, path.name.removesuffix(".index")) for path in files]


def _found(prefixes: Sequence[Path]) -> str:
    if not prefixes:
        return "there is no checkpoint in this folder; name one"
    more = f" and {len(prefixes) - _LISTED} more" if len(prefixes) > _LISTED else ""
    return f"name one of {', '.join(map(str, prefixes[:_LISTED]))}{more}"
