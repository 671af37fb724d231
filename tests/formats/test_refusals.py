from pathlib import Path

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS, QUANTIZABLE, Request
from mobile_export.formats.refusals import naming, refuse_float_operators, refuse_too_large
from mobile_export.quantize.scheme import Scheme
from tests.formats.tf_graphs import make_graph, weights

REQUEST = Request("phone", Path("file"), "int8")


def test_errors_are_about_an_artifact_and_keep_their_nodes() -> None:
    with pytest.raises(ConversionError, match=r"^artifact 'phone': no$") as caught, naming(REQUEST):
        raise ConversionError("no", ["node"])
    assert caught.value.nodes == ("node",)


def test_five_operators_are_named() -> None:
    refuse_float_operators([], REQUEST)
    with pytest.raises(ConversionError, match=r"^the int8 file would compute in float: A, B; change the model, choose"):
        refuse_float_operators(["A", "B"], REQUEST)
    with pytest.raises(ConversionError, match=r"float: A, B, C, D, E and 2 more; change"):
        refuse_float_operators(list("ABCDEFG"), REQUEST)


@pytest.mark.parametrize("name", QUANTIZABLE)
def test_all_formats_say_the_same_of_a_layer_that_is_not_there(name: str, tmp_path: Path) -> None:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        return [x], [tf.matmul(x, weights(1, 8, 8), name="dense")]

    unit, scheme = QUANTIZABLE[name], Scheme.mixed("float16", {"Conv2D": "float32"})
    request = Request("phone", tmp_path / f"file{unit.suffix}", "float16", scheme=scheme)
    unit.convert(make_graph(build, ["x"], ["y"]), tmp_path, [request])
    with pytest.raises(
        ConversionError, match=r"^artifact 'phone': the model has no layer 'Conv2D'; `explain` lists them$"
    ):
        unit.quantize(tmp_path, request)


@pytest.mark.parametrize("name", ["onnx", "ort"])
def test_our_own_passes_are_an_engine_too(name: str, tmp_path: Path) -> None:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        return [x], [tf.matmul(x, weights(1, 8, 8), name="dense")]

    requests = [Request(precision, tmp_path / f"{precision}.{name}", precision) for precision in ("float32", "float16")]
    written = QUANTIZABLE[name].write(make_graph(build, ["x"], ["y"]), requests, None)
    assert written == {"float16": "mobile-export"}


ROOM = {name: unit.room for name, unit in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_as_much_as_it_can_hold(name: str) -> None:
    refuse_too_large(ROOM[name] or 1 << 40, [("phone", name)], FORMATS)


@pytest.mark.parametrize("name", [name for name, room in ROOM.items() if room is not None])
def test_larger_models_are_refused_in_words(name: str) -> None:
    with pytest.raises(ConversionError) as caught:
        refuse_too_large((ROOM[name] or 0) + 1, [("fits", "memmapped"), ("phone", name)], FORMATS)
    limit = f"{(ROOM[name] or 0) / 1e9:.2f} GB"
    assert str(caught.value).startswith(f"artifact 'phone': the weights take {limit}, and {name} files are made of")
    assert "say format = 'memmapped'," in str(caught.value)
    assert "fits" not in str(caught.value)


def test_all_that_cannot_be_is_named_at_once() -> None:
    with pytest.raises(ConversionError, match=r"^artifact 'a': .*\nartifact 'b': .*smaller model$"):
        refuse_too_large(3 << 30, [("a", "onnx"), ("b", "graphdef")], FORMATS)
