"""What an app needs besides the models: a class for each, and vectors to test it with on the device.

All of it is a function of the manifest and the recorded answers.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mobile_export.apps.interface import AppEntry, Interface, interface_of, runtimes_of
from mobile_export.apps.kotlin import Kotlin
from mobile_export.apps.language import Language
from mobile_export.apps.swift import Swift
from mobile_export.apps.vectors import golden_vectors
from mobile_export.published.manifest import Manifest

if TYPE_CHECKING:  # the core install, which has commands in this package, cannot import it
    from mobile_export.samples import Samples

LANGUAGES: Mapping[str, Language] = {"kotlin": Kotlin(), "swift": Swift()}


def generate(manifest: Manifest, golden: "Samples") -> dict[str, bytes]:
    """Everything that is generated for a published target, by its path in the folder; nothing without an `[app]`.

    Raises:
        TargetError: no class can be written for what the target holds.
    """
    if manifest.app is None:
        return {}
    interface = interface_of(manifest)
    return dict(sorted({**_sources(interface), **_vectors(interface, golden)}.items()))


def source_paths(app: AppEntry, formats: Iterable[str]) -> list[str]:
    """Where generated code will lie in the published folder.

    Args:
        formats: of the target's files that a class can run.
    """
    runtimes = runtimes_of(formats)
    return [path for language in _wanted(app) for path in language.paths(app, runtimes)]


def _wanted(app: AppEntry) -> list[Language]:
    return [language for language in LANGUAGES.values() if language.wanted(app)]


def _sources(interface: Interface) -> dict[str, bytes]:
    texts = [language.generate(interface) for language in _wanted(interface.app)]
    return {path: text.encode() for written in texts for path, text in written.items()}


def _vectors(interface: Interface, golden: "Samples") -> dict[str, bytes]:
    found = {variant.vectors: golden_vectors(interface, variant, golden) for variant in interface.variants}
    return {path: vectors for path, vectors in found.items() if vectors is not None}
