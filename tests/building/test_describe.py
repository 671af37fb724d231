"""What a manifest says of a target."""

from pathlib import Path

import pytest

from mobile_export.building.describe import describe_app
from mobile_export.target import App, Artifact, Model, Target


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("digits", "Digits"),
        ("two_words_", "TwoWords"),
        ("3d_net", "Model3dNet"),
        ("7", "Model7"),
        ("a" * 99, "A" + "a" * 63),
    ],
)
def test_a_class_that_nobody_named_has_a_name_that_a_class_can_have(name: str, called: str) -> None:
    artifacts = (Artifact(name="a", format="tflite"),)
    app = describe_app(Target(name=name, model=Model(source=Path("m.pb")), app=App(), artifacts=artifacts))
    assert app is not None
    assert app.class_name == called
