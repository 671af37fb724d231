"""What formats refuse alike, in the same words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Request

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
