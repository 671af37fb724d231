"""What is kept between builds: how much it is, and making room."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mobile_export.caching.folder import cache_folder
from mobile_export.caching.places import cache_root
from mobile_export.cli.app import Format, print_json, say, warn
from mobile_export.errors import TargetError

if TYPE_CHECKING:
    from mobile_export.caching.artifacts import ArtifactCache


def cache(
    action: Annotated[
        Literal["show", "prune"], typer.Argument(help="prune: remove what was used least recently.")
    ] = "show",
    folder: Annotated[
        str | None, typer.Option("--cache", metavar="FOLDER", help="A shared cache; default: your own.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="With prune: bytes to leave, such as 2GB. Default: the bound.")
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0, help="With prune: remove what was not used for so many days.")
    ] = None,
    output: Format = "text",
) -> None:
    """Show what is kept between builds, or remove some of it."""
    from mobile_export.caching.pruning import parse_size, prune, size_limit, survey
    from mobile_export.caching.stores import is_url
    from mobile_export.report.terminal import format_bytes

    if action == "show" and (size, days) != (None, None):
        raise TargetError("--size and --days belong to: mobile-export cache prune")
    if folder is not None and is_url(folder):
        raise TargetError(f"--cache {folder}: only a folder can be shown and pruned; use the rules of that place")
    where, limit = Path(folder or cache_root()), size_limit()
    bound = parse_size(size, "--size") if size is not None else limit
    removed = None
    if folder is None:
        cache_folder()  # one of your own is there, if empty
    if action == "prune":
        removed = prune(where, bound, None if days is None else days * 24 * 3600)
    found = survey(where)
    if output == "json":
        freed = {} if removed is None else {"removed": {"files": removed.files, "bytes": removed.bytes}}
        kinds = {each.kind: {"files": each.files, "bytes": each.bytes} for each in found}
        print_json({"folder": where.as_posix(), "limit": limit, "kinds": kinds, **freed})
        return
    if removed is not None:
        say(f"{where}: {removed.files} files removed, {format_bytes(removed.bytes)}")
    say(f"{where}: {format_bytes(sum(each.bytes for each in found))} of {format_bytes(limit)}")
    for each in found:
        say(f"  {each.kind:10} {each.files:6} files  {format_bytes(each.bytes)}")


def bound_own_cache() -> None:
    """Make room in the user's own cache, where somebody else's files do not lie among ours."""
    from mobile_export.caching.pruning import prune, size_limit

    try:
        prune(Path(cache_root()), size_limit())
    except TargetError as error:
        warn(f"the cache grows without bounds: {error}")


def open_cache(address: str | None) -> "ArtifactCache":
    """Where built files are kept: the user's own cache, or what `--cache` names."""
    from mobile_export.caching.artifacts import ArtifactCache
    from mobile_export.caching.pruning import size_limit
    from mobile_export.caching.stores import open_store

    size_limit()  # a wrong one is said before work of minutes
    return ArtifactCache(open_store(cache_root() if address is None else address))
