"""What an ONNX model says of itself, in the properties that every runtime gives out: texts by name.

version                the model's
labels.OUTPUT          names of the classes: a JSON list
preprocessing.INPUT    what training did to raw values, in the target's terms: a JSON object
"""

import json
from typing import TYPE_CHECKING

from mobile_export.formats.format import About

if TYPE_CHECKING:
    from onnx import ModelProto


def add_metadata(model: "ModelProto", about: About) -> None:
    """Put what is known of a finished model into it."""
    for key, value in properties(about).items():
        model.metadata_props.add(key=key, value=value)


def properties(about: About) -> dict[str, str]:
    """In the order in which they are written; no ONNX standard has names for them."""
    said = {"version": about.version} if about.version else {}
    said |= {f"labels.{output}": _json(names) for output, names in about.labels.items()}
    said |= {f"preprocessing.{name}": _json(how.model_dump()) for name, how in about.preprocessing.items()}
    return said


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
