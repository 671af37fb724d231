"""What a model is, found out without being told: for people who did not train it.

look       read it in a worker: inputs and outputs, or candidates for them; what training left; what no file can hold
try        make every format of it, in workers, and see (`trial.py`)

What would end a build is a finding here. Only a model that cannot be read at all is an error.
"""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mobile_export import workers
from mobile_export.errors import ExportError, TargetError
from mobile_export.formats import FORMATS
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.graphs.ops import RANDOM
from mobile_export.inspection import census
from mobile_export.inspection.discovery import find_network
from mobile_export.inspection.findings import Inspection, Seen
from mobile_export.inspection.trial import make_ready, try_formats
from mobile_export.network.cones import training_switches
from mobile_export.sources import detect, source_of
from mobile_export.sources.saved_model import signatures_of
from mobile_export.target import Model, UserCode

FLOAT32: dict[str, Sequence[str]] = dict.fromkeys(FORMATS, ("float32",))
"""The precision that every format has."""


def model_of(source: Path, keys: Mapping[str, Any], folder: Path) -> Model:
    """What a command line says of a model.

    Args:
        keys: others of `[model]`; those that are None or False are left out.
        folder: where Python code is looked for; paths are relative to the working folder.

    Raises:
        TargetError: a value is wrong.
    """
    given = {key: value for key, value in keys.items() if value not in (None, False)}
    try:
        model = Model.model_validate({"source": source, **given}, context={"folder": Path()})
    except ValidationError as error:
        wrong = [(str(d["loc"][0]).replace("_", "-"), d["msg"].removeprefix("Value error, ")) for d in error.errors()]
        raise TargetError("\n".join(f"--{option}: {message}" for option, message in wrong)) from None
    code = {key: replace(value, folder=folder) for key, value in model if isinstance(value, UserCode)}
    return model.model_copy(update=code)


def inspect_model(
    model: Model,
    precisions: Mapping[str, Sequence[str]] = FLOAT32,
    jobs: int = 1,
    watcher: workers.Watcher | None = None,
) -> Inspection:
    """Look at a model, and try it in formats.

    Args:
        model: the path, and whatever is known besides.
        precisions: those to try of each format; with none, nothing is converted.

    Raises:
        ModelError: the model cannot be read.
        TargetError: `model` sets keys that have no meaning for this form.
    """
    form, source = source_of(model)
    _, why = detect(model.source)
    signatures = signatures_of(model.source)
    model, choices = _decided(model, signatures)
    files = {path: path.stat().st_size for path in source.files(model)}
    (seen,) = workers.run([workers.Task("read the model", look, (model,), model.source)], 1, watcher)
    seen = replace(seen, notes=(*choices, *seen.notes))
    found = Inspection(model.source, form, why, files, seen, signatures, problem=seen.problem)
    if seen.model is None or not precisions:
        return found
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        folder = Path(work)
        arguments = (seen.model, seen.inputs.chosen, seen.outputs.chosen, folder)
        try:
            (ready,) = workers.run([workers.Task("prepare the network", make_ready, arguments)], 1, watcher)
        except ExportError as error:
            return replace(found, problem=str(error))
        verdicts = try_formats(ready, folder, precisions, jobs, watcher)
        return replace(found, ready=ready, verdicts=tuple(verdicts))


def _decided(model: Model, signatures: Mapping[tuple[str, ...], Sequence[str]]) -> tuple[Model, list[str]]:
    """`model` with the first tag set and signature, where there are several and none is named; and a note on each."""
    notes = []
    if model.tags is None and len(signatures) > 1:
        tags = next(iter(signatures))
        model = model.model_copy(update={"tags": tags})
        notes.append(f"of {len(signatures)} tag sets, {','.join(tags)!r} is taken; --tags takes another")
    names = signatures.get(tuple(sorted(model.tags or next(iter(signatures), ()))), ())
    if model.signature is None and len(names) > 1:
        model = model.model_copy(update={"signature": names[0]})
        notes.append(f"of {len(names)} signatures, {names[0]!r} is taken; --signature takes another")
    return model, notes


def look(model: Model) -> Seen:
    """Read a model, and find its network; nothing of it is run. For workers.

    Raises:
        ModelError: it cannot be read.
    """
    trained = source_of(model)[1].read(model)
    graph, found = trained.graph, find_network(trained, model)
    fed = [node_name(spec.tensor) for spec in found.inputs.chosen]
    kept = graph.reachable((spec.tensor for spec in found.outputs.chosen), stop=fed)
    part = replace(graph, nodes={name: node for name, node in graph.nodes.items() if name in kept})
    return Seen(
        notes=trained.notes,
        inputs=found.inputs,
        outputs=found.outputs,
        operators=census.operators(part),
        leftovers=census.leftovers(graph, kept),
        dropout=_random(part, fed) - _random(found.served or part, fed),
        switches=tuple(name for name in training_switches(graph) if name in kept),
        moving_averages=census.shadows(graph, kept),
        devices=census.devices(graph),
        tables={table: path.as_posix() for table, path in trained.tables.items()},
        obstacles=found.obstacles,
        cut=found.cut,
        model=found.model,
        problem=found.problem,
    )


def _random(graph: Graph, fed: Collection[str]) -> int:
    return sum(node.op in RANDOM and name not in fed for name, node in graph.nodes.items())
