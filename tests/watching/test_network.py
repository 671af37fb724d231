"""What all networks promise of the files that they make."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.formats import FORMATS
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Runner
from mobile_export.samples import load_samples
from mobile_export.watching import NETWORKS
from mobile_export.watching.network import Watched
from mobile_export.watching.steps import steps
from tests.explanation.models import network, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name in NETWORKS:
        written(network(), folder, name, Scheme("int8"))
    return folder


def opened(name: str, file: Watched, folder: Path) -> Runner:
    path = folder / f"watched{FORMATS[name].suffix}"
    path.write_bytes(file.content)
    return FORMATS[name].open(path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_files_say_by_name_and_in_their_own_types_what_is_watched(
    folder: Path, name: str, precision: str, tmp_path: Path
) -> None:
    path = folder / f"{precision}{FORMATS[name].suffix}"
    file = NETWORKS[name](path)
    tensors = [step.tensor for step in steps(file)]
    image = load_samples(folder / "data.npz")["image"][:1]
    whole = file.watched(tensors[::-1])  # in any order
    runner = opened(name, whole, tmp_path)
    assert [edge.name for edge in runner.inputs] == list(whole.inputs) == ["image"]
    assert [edge.name for edge in runner.outputs] == list(whole.outputs.values())
    assert list(whole.outputs) == tensors[::-1]
    answers = runner({"image": image})
    noted = {tensor: answers[output] for tensor, output in whole.outputs.items()}
    assert {tensor: array.dtype.name for tensor, array in noted.items()} == {t: file.types[t] for t in tensors}
    expected = FORMATS[name].open(path)({"image": image})["probabilities"]
    assert np.allclose(noted["probabilities"], expected, atol=1e-6)

    cut = file.watched(tensors, cut=True)
    runner = opened(name, cut, tmp_path)
    assert [edge.name for edge in runner.inputs] == list(cut.inputs) == ["image", *tensors]
    own = runner({"image": image} | noted)
    assert all(np.allclose(own[output], noted[tensor], atol=1e-5) for tensor, output in cut.outputs.items())
