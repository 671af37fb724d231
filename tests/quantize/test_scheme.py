import pytest

from mobile_export.errors import ConversionError
from mobile_export.quantize.scheme import Scheme, integer_precision


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("int8", "int8"),
        ("uint8", "int8"),
        ("int16", "int16x8"),
        ("uint16", "int16x8"),
        ("float32", None),
        ("int4", None),
    ],
)
def test_the_precision_of_integers(dtype: str, precision: str | None) -> None:
    assert integer_precision(dtype) == precision


def test_a_scheme_for_another_model_is_refused_with_the_nearest_name() -> None:
    scheme = Scheme.mixed("int8", {"conv_1": "float16"})
    scheme.require({"conv_1"})
    with pytest.raises(
        ConversionError, match=r"no layer 'conv_1'; the nearest names are 'conv_2'; `explain` lists them"
    ):
        scheme.require({"conv_2"})
