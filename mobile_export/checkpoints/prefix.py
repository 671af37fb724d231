"""Which checkpoint a path means.

A checkpoint is known by its prefix: `model.ckpt` for `model.ckpt.index`, `model.ckpt.data-00000-of-00001`, … Some have
no base name (`saved/.index`); no Path can end in nothing, so there the folder itself is the prefix.

A V1 checkpoint has no index: it is the file `model.ckpt`, or `model.ckpt-00000-of-00002`, …
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mobile_export.errors import ModelError

_FILE = re.compile(r"(?P<base>.*)\.(index|meta|data-\d{5}-of-\d{5})", re.DOTALL)
_V1_SHARD = re.compile(r"(?P<base>.+)-(\d{5}|\?{5})-of-\d{5}", re.DOTALL)  # TensorFlow itself writes `?????` for all
_STATE = re.compile(r'^[ \t]*model_checkpoint_path:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
_LONGEST = 1 << 16  # characters: the path that counts is in the first line
_LISTED = 5


def checkpoint_file(prefix: Path, suffix: str) -> Path:
    """The file `prefix` + `suffix`; a folder with an `.index` in it is a prefix whose base name is empty."""
    if (prefix / ".index").is_file() and not Path(f"{prefix}.index").is_file():
        return prefix / suffix
    return Path(f"{prefix}{suffix}")


def is_v2(prefix: Path) -> bool:
    """Whether there is a V2 checkpoint `prefix`."""
    return checkpoint_file(prefix, ".index").is_file()


def v1_files(prefix: Path) -> list[Path]:
    """The files of the V1 checkpoint `prefix`; none if there is none."""
    if prefix.is_file():
        return [prefix]
    shards = [
        path for path in _listed(prefix.parent) if (m := _V1_SHARD.fullmatch(path.name)) and m["base"] == prefix.name
    ]
    return [path for path in shards if path.is_file()]


def prefix_of(path: Path) -> Path:
    """The prefix of the checkpoint of which `path` is the prefix, or a file.

    Raises:
        ModelError: it has no base name, and cannot be told from another checkpoint.
    """
    if is_v2(path):
        return path
    named = _FILE.fullmatch(path.name)
    if named is not None:
        return _join(path.parent, named["base"])
    shard = _V1_SHARD.fullmatch(path.name)
    return path if shard is None else path.with_name(shard["base"])


def find_checkpoint(path: Path) -> Path:
    """The prefix of the checkpoint that `path` means.

    Args:
        path: a prefix, one of the checkpoint's files, or a folder with one checkpoint or a `checkpoint` file. Of the
            path in that file only the base name counts: folders move, and nothing outside of them is read.

    Raises:
        ModelError: there is no checkpoint, or there are several.
    """
    if path.is_dir() and not is_v2(path):
        return _in_folder(path)
    prefix = prefix_of(path)
    if is_v2(prefix) or v1_files(prefix):
        return prefix
    raise ModelError(f"{prefix}.index: missing; {_found(checkpoints_in(prefix.parent))}")


def _in_folder(folder: Path) -> Path:
    """The checkpoint that the folder's `checkpoint` file names, or the only one."""
    state = folder / "checkpoint"
    prefixes = checkpoints_in(folder)
    latest = _latest(state) if state.is_file() else None
    if latest is not None:
        prefix = prefix_of(_join(folder, latest))
        if not is_v2(prefix) and not v1_files(prefix):
            raise ModelError(f"{state}: names {latest!r}, which is not in this folder; {_found(prefixes)}")
        return prefix
    if len(prefixes) != 1:
        raise ModelError(f"{folder}: which checkpoint is meant is not clear; {_found(prefixes)}")
    return prefixes[0]


def _latest(state: Path) -> str | None:
    """The base name in a `checkpoint` file, a text protobuf."""
    from google.protobuf import text_encoding

    try:
        with state.open(encoding="utf-8", errors="replace") as file:
            found = _STATE.search(file.read(_LONGEST))
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


def checkpoints_in(folder: Path) -> list[Path]:
    """All checkpoints in `folder`, leaving out what macOS writes beside files on foreign disks."""
    files = [path for path in _listed(folder) if not path.name.startswith("._") and path.is_file()]
    v2 = [path.name.removesuffix(".index") for path in files if path.suffix == ".index" or path.name == ".index"]
    others = [path.name.removesuffix(".meta") for path in files if path.suffix == ".meta"]
    v1 = [base for base in others if base not in v2 and v1_files(folder / base)]
    return [_join(folder, base) for base in sorted([*v2, *v1])]


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _found(prefixes: Sequence[Path]) -> str:
    if not prefixes:
        return "there is no checkpoint in this folder; name one"
    more = f" and {len(prefixes) - _LISTED} more" if len(prefixes) > _LISTED else ""
    return f"name one of {', '.join(map(str, prefixes[:_LISTED]))}{more}"
