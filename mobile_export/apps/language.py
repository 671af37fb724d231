"""What a language is that code is generated in."""

from collections.abc import Collection
from typing import Protocol

from mobile_export.apps.interface import AppEntry, Interface, Runtime


class Language(Protocol):
    """One language of apps."""

    def wanted(self, app: AppEntry) -> bool:
        """Whether the target asks for it."""
        ...

    def paths(self, app: AppEntry, runtimes: Collection[Runtime]) -> list[str]:
        """Where its files lie in the published folder, known before anything is built.

        Args:
            runtimes: those that the target's files need.
        """
        ...

    def generate(self, interface: Interface) -> dict[str, str]:
        """The text of each of these files; equal interfaces give equal bytes.

        Raises:
            TargetError: the interface has something that the language cannot say.
        """
        ...
