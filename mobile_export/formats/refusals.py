"""What formats refuse alike, in the same words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Format, Request

_NAMED = 5
"""Operators that are named, of more."""


@contextmanager
def naming(request: Request) -> Iterator[None]:
    """Let errors say which artifact they are about."""
    try:
        yield
    except ConversionError as error:
        raise ConversionError(f"artifact {request.artifact!r}: {error}", error.nodes) from error


def refuse_float_operators(left: Sequence[str], request: Request) -> None:
    """Refuse a file of integers in which the operators `left` compute in float.

    Raises:
        ConversionError: there are such.
    """
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        raise ConversionError(
            f"the {request.numbers.precision} file would compute in float: {', '.join(left[:_NAMED])}{more}; change "
            "the model, choose another precision, or say allow_float_operators = true"
        )


def refuse_too_large(weights: int, wanted: Iterable[tuple[str, str]], formats: Mapping[str, Format]) -> None:
    """Refuse files of more weights than they can hold, before anything is made of these.

    Args:
        weights: their bytes, in the graph that the files are made of.
        wanted: name and format of each artifact.
        formats: by name; of those without a limit, the refusal recommends one.

    Raises:
        ConversionError: names all that cannot be, what they can hold, and what could be instead.
    """
    too_large = [(artifact, name, formats[name].room) for artifact, name in wanted]
    refused = [(artifact, name, room) for artifact, name, room in too_large if room is not None and weights > room]
    if refused:
        endless = " or ".join(repr(name) for name, unit in formats.items() if unit.room is None)
        raise ConversionError(
            "\n".join(
                f"artifact {artifact!r}: the weights take {weights / 1e9:.2f} GB, and {name} files are made of at most "
                f"{room / 1e9:.2f} GB, whatever their precision; say format = {endless}, which holds any number, or "
                "bring a smaller model"
                for artifact, name, room in refused
            )
        )
