from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mobile_export.explanation.comparison import LayerError
from mobile_export.explanation.explain import Explanation
from mobile_export.explanation.reasons import Reason
from mobile_export.explanation.report import SHOWN, heading, layers_table, notes, reasons_table

LAYER = LayerError("a;b", "CONV_2D", "int8", "int8", 12.34, 2.0, 0.5, 0.25, 0.0, 45.67, "a;b", ())


def shown(table: Table) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def explanation(*layers: LayerError, note: str = "") -> Explanation:
    return Explanation(Path("x/digits.tflite"), "float32.tflite", 4, "data.npz", layers, note)


def test_heading_says_what_was_compared() -> None:
    assert heading(explanation()) == "digits.tflite against float32.tflite: 4 samples of data.npz"


def test_a_row_has_all_numbers_in_their_units() -> None:
    row = shown(layers_table(explanation(LAYER))).splitlines()[-2]
    assert row.split() == ["a;…", "CONV_2D", "int8", "2.0", "12.3", "0.50000", "25.0", "%", "0", "%", "45.7"]


def test_what_is_not_known_or_not_lost_has_its_sign() -> None:
    layer = replace(
        LAYER,
        name="a",
        settable=None,
        stored="float32",
        sqnr=float("inf"),
        own_sqnr=None,
        range_used=None,
        saturation=None,
        weights_sqnr=float("-inf"),
    )
    row = shown(layers_table(explanation(layer))).splitlines()[-2]
    assert row.split() == ["a", "–", "CONV_2D", "int8", "→", "float32", "–", "exact", "0.50000", "–", "–", "lost"]


def test_reasons_name_other_layers_as_the_table_does() -> None:
    reasons = (Reason("inherited", "is made in 'b;c'", "b;c"), Reason("dead_channel", "is dead"))
    other = replace(LAYER, name="b;c")
    text = shown(reasons_table(explanation(replace(LAYER, reasons=reasons), other)))
    assert "a;…" in text
    assert "is made in 'b;…' [inherited]" in text
    assert "is dead [dead_channel]" in text
    assert reasons_table(explanation(other)).row_count == 0


def test_names_are_cut_only_where_they_still_differ() -> None:
    text = shown(layers_table(explanation(LAYER, replace(LAYER, name="a;c"))))
    assert "a;b" in text
    assert "a;c" in text


def test_what_is_left_out_is_said() -> None:
    many = [replace(LAYER, name=str(index), settable=str(index)) for index in range(SHOWN + 3)]
    found = explanation(*many, note="own errors are not known")
    assert layers_table(found).row_count == SHOWN
    assert notes(found) == ["3 more layers are better than these; --format json shows all", "own errors are not known"]
    assert notes(explanation(replace(LAYER, name="a", settable="a"))) == []
    assert notes(explanation(LAYER)) == ["names that end in ;… are cut; --format json shows them whole"]


def test_a_row_says_which_layer_a_target_can_set_where_that_is_another() -> None:
    other = explanation(replace(LAYER, name="mean"))
    row = shown(layers_table(other)).splitlines()[-2]
    assert row.split()[:3] == ["mean", "a;…", "CONV_2D"]
    assert notes(other)[0] == "a target's layers takes the names under `set by`, and those of the layers without one"


def test_precisions_have_an_arrow_where_values_are_kept_in_another_type() -> None:
    def said(precision: str, stored: str) -> str:
        row = shown(layers_table(explanation(replace(LAYER, precision=precision, stored=stored)))).splitlines()[-2]
        return row.split("CONV_2D")[1].split("2.0")[0].strip()

    assert said("int8", "uint8") == said("int8", "int8") == "int8"
    assert said("int16x8", "int16") == "int16x8"
    assert said("int16x8", "int8") == "int16x8 → int8"
    assert said("dynamic", "float32") == "dynamic"
    assert said("int8", "float32") == "int8 → float32"
    assert said("uint8", "uint8") == "uint8"


def test_advice_names_layers_as_the_table_does() -> None:
    reason = Reason("coarse_weights", "give 'a;b' more bits", settable=("a;b",))
    assert "give 'a;…' more bits" in shown(reasons_table(explanation(replace(LAYER, reasons=(reason,)))))
