"""Inputs and outputs, as the generated class has them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Self

from mobile_export.apps.interface import EdgeEntry, Interface, Port


@dataclass(frozen=True)
class Member:
    """An input or output, as templates name it; each language derives its own from this.

    Attributes:
        name: in code, after a dot.
        index: among the inputs, or among the outputs.
        edges: what each variant has there, in their order.
    """

    port: Port
    name: str
    side: Literal["input", "output"]
    index: int
    edges: tuple[EdgeEntry, ...]

    @classmethod
    def all_of(cls, interface: Interface, named: Callable[[Iterable[str]], list[str]]) -> list[Self]:
        """The inputs, and then the outputs.

        Args:
            named: names in code for all public ones.
        """
        names = iter(named(port.name for port in (*interface.inputs, *interface.outputs)))
        return [
            *(
                cls(port, next(names), "input", index, tuple(variant.inputs[index] for variant in interface.variants))
                for index, port in enumerate(interface.inputs)
            ),
            *(
                cls(port, next(names), "output", index, tuple(variant.outputs[index] for variant in interface.variants))
                for index, port in enumerate(interface.outputs)
            ),
        ]

    @property
    def public(self) -> str:
        return self.port.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.port.labels

    @property
    def is_open(self) -> bool:
        """Whether the files leave sizes of it open."""
        return self.port.is_open

    @property
    def usual_shape(self) -> list[int]:
        """The shape with 1 for what is open."""
        return [1 if size < 0 else size for size in self.port.shape]
