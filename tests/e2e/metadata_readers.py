"""Reading .tflite files as apps do, by TensorFlow Lite's Support and Task libraries; runs in their own environment.

show FILE…                  metadata, associated files and the version of the parser that it takes, of each: JSON
classify IMAGE.npy FILE…    the classes of a raw image and their scores, the best first, by each: JSON
"""

import json
import sys

import numpy as np
from tensorflow_lite_support.metadata.cc.python import _pywrap_metadata_version as versions
from tflite_support import metadata
from tflite_support.task import vision


def show(path: str) -> dict[str, object]:
    shown = metadata.MetadataDisplayer.with_model_file(path)
    names = shown.get_packed_associated_file_list()
    return {
        "metadata": json.loads(shown.get_metadata_json()),
        "files": {name: shown.get_associated_file_buffer(name).decode() for name in names},
        "parser": versions.GetMinimumMetadataParserVersion(bytes(shown.get_metadata_buffer())),
    }


def classify(image: str, path: str) -> list[tuple[str, float]]:
    found = vision.ImageClassifier.create_from_file(path).classify(vision.TensorImage.create_from_array(np.load(image)))
    return [(one.category_name, one.score) for one in found.classifications[0].categories]


command, *arguments = sys.argv[1:]
if command == "show":
    print(json.dumps([show(path) for path in arguments]))
else:
    print(json.dumps([classify(arguments[0], path) for path in arguments[1:]]))
