"""What is kept between builds: how much it is, and making room."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mobile_export.caching.places import cache_root
from mobile_export.cli.app import Format, print_json
from mobile_export.errors import TargetError


def cache(
    action: Annotated[
        Literal["show", "prune"], typer.Argument(help="prune: remove what was used least recently.")
    ] = "show",
    folder: Annotated[Path | None, typer.Option("--cache", help="A shared cache; default: your own.")] = None,
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
    from mobile_export.report.terminal import format_bytes

    if action == "show" and (size, days) != (None, None):
        raise TargetError("--size and --days belong to: mobile-export cache prune")
    where, limit = folder or Path(cache_root()), size_limit()
    removed = None
    if action == "prune":
        bound = parse_size(size, "--size") if size is not None else limit
        removed = prune(where, bound, None if days is None else days * 24 * 3600)
    found = survey(where)
    if output == "json":
        freed = {} if removed is None else {"removed": {"files": removed.files, "bytes": removed.bytes}}
        kinds = {each.kind: {"files": each.files, "bytes": each.bytes} for each in found}
        print_json({"folder": where.as_posix(), "limit": limit, "kinds": kinds, **freed})
        return
    if removed is not None:
        print(f"{where}: {removed.files} files removed, {format_bytes(removed.bytes)}")
    print(f"{where}: {format_bytes(sum(each.bytes for each in found))} of {format_bytes(limit)}")
    for each in found:
        print(f"  {each.kind:10} {each.files:6} files  {format_bytes(each.bytes)}")
