"""What need not be built: artifacts that lie in the published folder, and such as are in the cache."""

from collections.abc import Collection, Sequence
from pathlib import Path

from mobile_export.caching.artifacts import ArtifactCache, Finished, recorded_of
from mobile_export.errors import ModelError
from mobile_export.kernels.published import has_header
from mobile_export.planning.plan import Plan, file_of
from mobile_export.published.artifact_files import sha256_of
from mobile_export.published.integrity import artifact_problem, beside_problem, unknown_files
from mobile_export.published.manifest import GOLDEN, Manifest, load_manifest
from mobile_export.samples import load_samples
from mobile_export.target import Artifact


def published_in(folder: Path) -> Manifest | None:
    """What lies in `folder`; None when nothing does, or nothing that can be understood and so kept."""
    try:
        return load_manifest(folder)
    except ModelError:
        return None


def is_whole(folder: Path, published: Manifest) -> bool:
    """Whether what lies beside the artifacts is what was published, and nothing else would enter the app."""
    strange = beside_problem(folder, published) is not None or any(unknown_files(folder, published))
    return has_header(published, folder) and not strange


def kept(planned: Plan, published: Manifest | None, folder: Path, rebuilt: Collection[str] = ()) -> dict[str, Finished]:
    """Published artifacts whose keys and bytes are those of this build, by name; none where keys do not know the data.

    Args:
        rebuilt: names of artifacts that are not kept, whatever they are.
    """
    golden = folder / GOLDEN
    if planned.is_guesswork or published is None or not golden.is_file() or sha256_of(golden) != published.golden:
        return {}
    recorded = load_samples(golden)
    places = {artifact.name: file_of(planned.target, artifact) for artifact in planned.target.artifacts}
    found = [
        Finished(entry, recorded_of(entry.name, recorded), published.preparation)
        for entry in published.artifacts
        if (planned.keys.get(entry.name), places.get(entry.name)) == (entry.key, entry.file)
        and entry.name not in rebuilt
        and artifact_problem(folder, entry) is None
    ]
    return {one.entry.name: one for one in found if not one.missed}


def restored(planned: Plan, wanted: Sequence[Artifact], stage: Path, store: ArtifactCache) -> dict[str, Finished]:
    """Artifacts that were built before and are in the cache, by name; they are put into the stage."""
    found = {a.name: store.restore(planned.keys[a.name], file_of(planned.target, a), stage) for a in wanted}
    return {name: one for name, one in found.items() if one is not None}
