"""What `inspect` prints."""

import json
from pathlib import Path

import pytest

from mobile_export.graphs.graph import TensorSpec
from mobile_export.inspection.findings import Edge, Edges, Inspection, Network, Ready, Seen, Verdict
from mobile_export.inspection.report import inspection_json, inspection_lines
from mobile_export.target import Model

IMAGE = TensorSpec("image", "image:0", "float32", (-1, 28, 28, 1))
SCORES = TensorSpec("scores", "tower/scores:0", "float32", None)
UNKNOWN = TensorSpec("other", "tower/other:0", "", None)
MODEL = Model(source=Path("net/model.ckpt"))
NETWORK = Network({"Conv2D": 12, "MatMul": 1}, 1_234_567, 4_938_268, 1_500_000, 1, 0)

FOUND = Inspection(
    source=Path("net/model.ckpt"),
    form="checkpoint",
    why="model.ckpt.index is there",
    files={Path("net/model.ckpt.index"): 1300},
    signatures={},
    seen=Seen(
        notes=("read by the older loader",),
        inputs=Edges("inferred", (Edge(IMAGE, "placeholder that the outputs need"),)),
        outputs=Edges("candidates", (Edge(SCORES, "last layer"), Edge(UNKNOWN, "an end", chosen=False))),
        operators={"Conv2D": 12},
        leftovers={"gradients": 40, "saver": 2},
        dropout=1,
        switches=("is_training",),
        moving_averages=3,
        devices={"/gpu:0": 7},
        tables={"words": "assets/words.txt"},
        obstacles=("Placeholder (node 'text') holds text",),
        cut='cut at \'image:0\':\n[[model.inputs]]\nname = "image"\ntensor = "image:0"',
        model=MODEL,
        problem="",
    ),
    ready=Ready(MODEL, (IMAGE,), (SCORES,), NETWORK, 5_000_000),
    verdicts=(
        Verdict("tflite", "float32", "ok", 4_940_000),
        Verdict("onnx", "float32", "refused", None, "no counterpart of X " * 10),
    ),
)

EXPECTED = """\
net/model.ckpt
  form          checkpoint: model.ckpt.index is there
  files         model.ckpt.index 1.3 kB
  note          read by the older loader

inputs, inferred from the graph
  *  image  float32[?,28,28,1]  image:0  placeholder that the outputs need

outputs, not clear; candidates, those marked * are taken below
  *  scores  float32[...]  tower/scores:0  last layer
     other   ?[...]        tower/other:0   an end

network
  edges         image float32[?,28,28,1] → scores float32[...]
  weights       1,234,567 parameters, 4.9 MB as float32; 1.5 million multiplications a run
  operators     12 Conv2D, 1 MatMul
  control flow  1 loops

around it, dropped
  training: 40 gradients, 2 saver
  dropout: 1 random operators
  training switches, off: is_training
  devices: /gpu:0 (7)
  moving averages: 3 variables have one; set moving_average = true in [model] to use them in place
  of the weights

what no file can hold
  Placeholder (node 'text') holds text
  the lookup table 'words' is filled from assets/words.txt
  cut at 'image:0':
    [[model.inputs]]
    name = "image"
    tensor = "image:0"

formats, each written, loaded, run and compared with TensorFlow
  ok         tflite  float32     4.9 MB
  refused    onnx    float32             no counterpart of X no counterpart of X no counterpart of X
             no counterpart of X no counterpart of X no counterpart of X no counterpart of X no
             counterpart of X no counterpart of X no counterpart of X"""


def test_text() -> None:
    assert "\n".join(inspection_lines(FOUND)) == EXPECTED


@pytest.mark.parametrize("width", [80, 100])
def test_lines_keep_to_the_width(width: int) -> None:
    assert all(len(line) <= width for line in inspection_lines(FOUND, width))


def test_json_has_all_of_it() -> None:
    found = json.loads(json.dumps(inspection_json(FOUND)))
    assert set(found) == set(
        "source form why files signatures notes inputs outputs operators leftovers dropout switches moving_averages "
        "devices tables obstacles cut problem network formats".split()
    )
    assert found["outputs"]["edges"][1] == {
        "name": "other",
        "tensor": "tower/other:0",
        "dtype": None,
        "shape": None,
        "why": "an end",
        "chosen": False,
    }
    assert found["network"]["macs"] == 1_500_000
    assert found["formats"][0] == {
        "format": "tflite",
        "precision": "float32",
        "outcome": "ok",
        "bytes": 4_940_000,
        "reason": "",
    }
