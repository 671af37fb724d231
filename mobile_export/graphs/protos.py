"""TensorFlow's protobuf messages, loaded without importing TensorFlow.

`import tensorflow` costs 2 to 3 s and 490 MB; the generated message modules need none of it. While they load,
empty packages stand where `tensorflow` and its parents would be, so that no `__init__` runs. The message modules
stay in `sys.modules` under their own names: a later real `import tensorflow` finds and shares them.

This is the only module that knows about the trick.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from mobile_export.errors import MissingToolError

if TYPE_CHECKING:
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example
    from tensorflow.core.framework.attr_value_pb2 import AttrValue, NameAttrList
    from tensorflow.core.framework.function_pb2 import FunctionDef, FunctionDefLibrary
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.framework.op_def_pb2 import OpDef
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
    from tensorflow.core.framework.tensor_slice_pb2 import TensorSliceProto
    from tensorflow.core.framework.versions_pb2 import VersionDef
    from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef, MetaGraphDef, SignatureDef, TensorInfo
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow.core.protobuf.saver_pb2 import SaverDef
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
    from tensorflow.core.util.memmapped_file_system_pb2 import MemmappedFileSystemDirectory
    from tensorflow.core.util.saved_tensor_slice_pb2 import SavedTensorSlices

_PACKAGES = (
    "tensorflow",
    "tensorflow.core",
    "tensorflow.core.example",
    "tensorflow.core.framework",
    "tensorflow.core.protobuf",
    "tensorflow.core.util",
)
_MESSAGES = {
    "AssetFileDef": "protobuf.meta_graph",
    "AttrValue": "framework.attr_value",
    "BundleEntryProto": "protobuf.tensor_bundle",
    "BundleHeaderProto": "protobuf.tensor_bundle",
    "Example": "example.example",
    "FunctionDef": "framework.function",
    "FunctionDefLibrary": "framework.function",
    "GraphDef": "framework.graph",
    "MemmappedFileSystemDirectory": "util.memmapped_file_system",
    "MetaGraphDef": "protobuf.meta_graph",
    "NameAttrList": "framework.attr_value",
    "NodeDef": "framework.node_def",
    "OpDef": "framework.op_def",
    "SavedModel": "protobuf.saved_model",
    "SavedTensorSlices": "util.saved_tensor_slice",
    "SaverDef": "protobuf.saver",
    "SignatureDef": "protobuf.meta_graph",
    "TensorInfo": "protobuf.meta_graph",
    "TensorProto": "framework.tensor",
    "TensorShapeProto": "framework.tensor_shape",
    "TensorSliceProto": "framework.tensor_slice",
    "VersionDef": "framework.versions",
}

__all__ = [
    "AssetFileDef",
    "AttrValue",
    "BundleEntryProto",
    "BundleHeaderProto",
    "DecodeError",
    "Example",
    "FunctionDef",
    "FunctionDefLibrary",
    "GraphDef",
    "MemmappedFileSystemDirectory",
    "MetaGraphDef",
    "NameAttrList",
    "NodeDef",
    "OpDef",
    "SavedModel",
    "SavedTensorSlices",
    "SaverDef",
    "SignatureDef",
    "TensorInfo",
    "TensorProto",
    "TensorShapeProto",
    "TensorSliceProto",
    "VersionDef",
]


class _Missing:
    """Stands for every message where TensorFlow is not installed, so that what needs none still imports."""

    def __init__(self, *_: object, **__: object) -> None:
        raise MissingToolError('TensorFlow is not installed; run: pip install "mobile-export[convert]"')

    @classmethod
    def FromString(cls, _: bytes) -> "_Missing":  # noqa: N802  protobuf's name
        return cls()


def _load() -> dict[str, type]:
    spec = None if "tensorflow" in sys.modules else importlib.util.find_spec("tensorflow")
    if spec is None and "tensorflow" not in sys.modules:
        return {**dict.fromkeys(_MESSAGES, _Missing), "DecodeError": type("DecodeError", (Exception,), {})}
    stand_ins: list[str] = []
    if spec is not None and spec.submodule_search_locations:
        root = spec.submodule_search_locations[0]
        for package in _PACKAGES:
            stand_in = ModuleType(package)
            stand_in.__path__ = [root + package.removeprefix("tensorflow").replace(".", "/")]
            sys.modules[package] = stand_in
            stand_ins.append(package)
    try:
        modules = {m: importlib.import_module(f"tensorflow.core.{m}_pb2") for m in sorted(set(_MESSAGES.values()))}
    finally:
        for package in stand_ins:
            del sys.modules[package]
    messages = {name: getattr(modules[module], name) for name, module in _MESSAGES.items()}
    return {**messages, "DecodeError": importlib.import_module("google.protobuf.message").DecodeError}


if not TYPE_CHECKING:
    globals().update(_load())
