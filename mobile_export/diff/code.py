"""The target itself, and the class that is generated for it."""

from collections.abc import Iterator

from mobile_export.apps.interface import RUNTIMES
from mobile_export.diff.change import Change, breaking, compatible
from mobile_export.published.manifest import ArtifactEntry, Manifest


def target_changes(old: Manifest, new: Manifest) -> Iterator[Change]:
    """Differences of what all files share."""
    if old.target != new.target:
        yield breaking("target", f"is {new.target}, was {old.target}: files have other paths")
    if old.platform != new.platform:
        yield compatible("platform", f"{old.platform} → {new.platform}")
    if old.version != new.version:
        yield compatible("version", f"{old.version} → {new.version}")
    if new.gate == "warn" != old.gate:
        yield compatible("gate", "published although limits were missed: it cannot be locked")
    if new.required_operators not in (None, old.required_operators):
        yield compatible("required_operators.config", "changed: an ONNX Runtime reduced by it has to be built again")


def languages(manifest: Manifest) -> dict[str, str]:
    """Where generated code goes, by language."""
    if manifest.app is None:
        return {}
    named = {"Kotlin package": manifest.app.kotlin_package, "Swift module": manifest.app.swift_module}
    return {language: name for language, name in named.items() if name is not None}


def code_changes(old: Manifest, new: Manifest, wrapped: bool) -> Iterator[Change]:
    """Differences of how the app names the class; `wrapped` where there was one in a language that there still is."""
    before, after = languages(old), languages(new)
    for language, name in before.items():
        if language not in after:
            yield breaking(language, f"{name} is not generated any more")
        elif after[language] != name:
            yield breaking(language, f"{name} → {after[language]}")
    for language in sorted(after.keys() - before.keys()):
        yield compatible(language, f"{after[language]} is new")
    if wrapped and old.app and new.app:
        if old.app.class_name != new.app.class_name:
            yield breaking("class", f"{old.app.class_name} → {new.app.class_name}")
        yield from _defaults(old, new)
        for adapter in sorted(set(old.app.litert) - set(new.app.litert)):
            yield breaking("class", f"runs nothing by LiteRT's {adapter} any more")


def _defaults(old: Manifest, new: Manifest) -> Iterator[Change]:
    """What the class takes where a call names nothing: in Swift the first file, in Kotlin the first class of LiteRT."""
    before, after = (_first(manifest) for manifest in (old, new))
    if (
        before
        and after
        and before.name != after.name
        and "Swift module" in languages(old).keys() & languages(new).keys()
    ):
        text = f"opens {after.name} where no variant is named, opened {before.name}"
        moved = RUNTIMES[before.format] != RUNTIMES[after.format]
        yield breaking("class", f"{text}, which another runtime runs") if moved else compatible("class", text)
    if old.app and new.app and old.app.litert[:1] != new.app.litert[:1] and set(old.app.litert) <= set(new.app.litert):
        yield compatible(
            "class", f"runs .tflite by LiteRT's {new.app.litert[0]}, ran by {old.app.litert[0]}, by default"
        )


def _first(manifest: Manifest) -> ArtifactEntry | None:
    return next((entry for entry in manifest.artifacts if entry.format in RUNTIMES), None)
