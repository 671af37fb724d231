"""TensorFlow's messages, without TensorFlow; mostly in fresh processes, since other tests import TensorFlow."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_export.graphs import protos

ROOT = Path(__file__).parents[2]


def run(script: str, *flags: str) -> str:
    command = [sys.executable, *flags, "-c", script]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_messages_load_without_tensorflow_and_a_later_import_shares_them() -> None:
    script = """
import sys
from mobile_export.graphs.protos import GraphDef, MetaGraphDef, TensorProto
print([name for name in ("tensorflow", "tensorflow.core", "tensorflow.core.framework") if name in sys.modules])
made = GraphDef()
made.node.add(name="made", op="NoOp")
assert MetaGraphDef.FromString(MetaGraphDef(graph_def=made).SerializeToString()).graph_def == made

from mobile_export.session import import_tensorflow
tf = import_tensorflow()
assert isinstance(tf.make_tensor_proto(1), TensorProto)
with tf.Graph().as_default() as graph:
    tf.import_graph_def(made, name="")
    assert type(graph.as_graph_def()) is GraphDef
    print([node.name for node in graph.as_graph_def().node])
"""
    assert run(script) == "[]\n['made']\n"


def test_messages_are_shared_with_a_tensorflow_that_came_first() -> None:
    import tensorflow

    spec = importlib.util.spec_from_file_location("protos_once_more", protos.__file__)
    later = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(later)
    assert sys.modules["tensorflow"] is tensorflow
    assert {name: getattr(later, name) for name in protos.__all__} == {n: getattr(protos, n) for n in protos.__all__}


def test_without_tensorflow_messages_say_what_to_install() -> None:
    script = """
from mobile_export.graphs import protos
for use in (protos.GraphDef, lambda: protos.NodeDef.FromString(b"")):
    try:
        use()
    except protos.MissingToolError as error:
        print(error)
"""
    line = 'TensorFlow is not installed; run: pip install "mobile-export[convert]"\n'
    assert run(script, "-S") == line + line  # -S: no installed packages


@pytest.mark.parametrize("name", sorted(set(protos.__all__) - {"DecodeError"}))
def test_every_name_is_the_message_of_that_name(name: str) -> None:
    assert getattr(protos, name).DESCRIPTOR.full_name == f"tensorflow.{name}"
