"""What a language is that code is generated in."""

from typing import Protocol

from mobile_export.apps.interface import Interface


class Language(Protocol):
    """One language of apps."""

    def wanted(self, interface: Interface) -> bool:
        """Whether the target asks for it."""
        ...

    def generate(self, interface: Interface) -> dict[str, str]:
        """Source files by their path in the published folder; equal interfaces give equal bytes.

        Raises:
            TargetError: the interface has something that the language cannot say.
        """
        ...
