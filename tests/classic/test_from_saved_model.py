"""A SavedModel in, a servable out, by the transform-graph command."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.classic.flags import parse
from mobile_export.classic.transform_graph import TransformGraph, transform_graph
from mobile_export.errors import ModelError
from tests.classic.test_to_saved_model import HEAD, IRIS, estimator
from tests.sources.training import tf

RECIPE = "remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes fold_constants fold_batch_norms"


def through(exported: Path, *flags: str) -> Path:
    folder = exported.with_name("servable")
    words = [f"--input_saved_model_dir={exported}", f"--output_saved_model_dir={folder}", *flags]
    transform_graph(parse(TransformGraph, words))
    return folder


def answers(folder: Path, signature: str = "serving_default") -> dict[str, np.ndarray]:
    served = tf.saved_model.load(str(folder)).signatures[signature]
    return {name: value.numpy() for name, value in served(x=tf.constant(IRIS)).items()}


@pytest.mark.parametrize("outputs", [f"{HEAD}/class_ids", f"{HEAD}/class_ids:0", "class_ids"])
def test_outputs_are_nodes_tensors_or_names_of_the_signature(tmp_path: Path, outputs: str) -> None:
    expected = estimator(tmp_path / "exported")
    found = answers(through(tmp_path / "exported", f"--outputs={outputs}", f"--transforms={RECIPE}"))
    assert found.keys() == {"class_ids"}
    np.testing.assert_array_equal(found["class_ids"], expected["class_ids"])


def test_the_whole_signature_without_a_word(tmp_path: Path) -> None:
    expected = estimator(tmp_path / "exported")
    found = answers(through(tmp_path / "exported", f"--transforms={RECIPE}"))
    for name, value in expected.items():
        np.testing.assert_allclose(found.pop(name), value, atol=1e-5)
    assert not found


def test_names_of_the_signature_outlive_those_of_nodes(tmp_path: Path) -> None:
    expected = estimator(tmp_path / "exported")
    renamed = "rename_node(old_node_name=x, new_node_name=features) obfuscate_names"
    found = answers(through(tmp_path / "exported", "--outputs=class_ids", f"--transforms={renamed}"))
    np.testing.assert_array_equal(found["class_ids"], expected["class_ids"])


def test_signature_tags_and_assets(tmp_path: Path) -> None:
    estimator(tmp_path / "exported")
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\nthree\n")
    flags = [f"--saved_model_assets={labels}", "--saved_model_signature=predict", f"--transforms={RECIPE}"]
    folder = through(tmp_path / "exported", *flags)
    assert answers(folder, "predict").keys() == {"logits", "probabilities", "class_ids"}
    assert (folder / "assets" / "labels.txt").read_text() == labels.read_text()
    with pytest.raises(ModelError, match="regress"):
        through(
            tmp_path / "exported",
            "--saved_model_signature=regress",
            f"--transforms={RECIPE}",
            "--output_saved_model_dir=x",
        )


def test_functions_of_tensorflow_2_are_put_in_place(tmp_path: Path) -> None:
    class Doubled(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable(np.eye(4, dtype=np.float32) * 2)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
        def __call__(self, x):
            return {"doubled": tf.matmul(x, self.w)}

    module = Doubled()
    tf.saved_model.save(module, str(tmp_path / "exported"), signatures=module.__call__)
    found = answers(through(tmp_path / "exported", "--transforms=fold_constants quantize_weights(minimum_size=16)"))
    assert found.keys() == {"doubled"}
    np.testing.assert_allclose(found["doubled"], IRIS * 2, atol=0.1)


def test_counts_are_those_of_the_servable(tmp_path: Path) -> None:
    estimator(tmp_path / "exported")
    words = [f"--input_saved_model_dir={tmp_path / 'exported'}", f"--output_saved_model_dir={tmp_path / 'servable'}"]
    changes = transform_graph(parse(TransformGraph, [*words, "--outputs=class_ids", "--transforms=quantize_nodes"]))
    written = tf.compat.v1.saved_model.load
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        written(session, ["serve"], str(tmp_path / "servable"))
        assert len(graph.as_graph_def().node) == changes.after.nodes
