"""From a source to the reference graph, the optimized graph, and the samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mobile_export.advice import naming_cuts
from mobile_export.data.preprocess import Recipes
from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats import FORMATS
from mobile_export.formats.refusals import refuse_too_large
from mobile_export.graph_transform_tool.run import run_call
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.graphs.cuts import DRAWS, unportable
from mobile_export.graphs.graph import Graph, TensorSpec, format_shape, node_name, total_bytes
from mobile_export.graphs.ops import RANDOM
from mobile_export.labels import read_labels
from mobile_export.network.forward import find_inputs, forward_graph
from mobile_export.pipeline.work import OPTIMIZED, REFERENCE
from mobile_export.runner import run_samples
from mobile_export.samples import Samples
from mobile_export.sampling import gather, outside, ready
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.target import Artifact, Target
from mobile_export.transform_string import Call
from mobile_export.transforms import (
    DEFAULT,
    INFERENCE,
    Applied,
    Transform,
    apply,
    named,
    relative_difference,
)
from mobile_export.transforms.element_shapes import fix_element_shapes
from mobile_export.transforms.fix_shapes import fix_shapes
from mobile_export.transforms.fold_preprocessing import fold_preprocessing

VERIFIED_SAMPLES = 4
"""Samples that are run after every transform."""

_RESCALING = ("fold_affine",)
"""Transforms that write all weights anew, and leave as many."""

FOLDED_TOLERANCE = 1e-4
"""How far answers may move, over their largest magnitude, when preprocessing moves into the graph."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found.

    Attributes:
        form: name of the source.
        notes: what people should know of how the model was read, a sentence each.
        inputs, outputs: as the files will have them.
        transforms: what each did.
        parameters: number of weights in the optimized graph.
        frozen_size: bytes of the optimized, frozen float32 graph.
    """

    form: str
    notes: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    transforms: tuple[Applied, ...]
    parameters: int
    frozen_size: int


def prepare(target: Target, folder: Path, wanted: Sequence[Artifact] = ()) -> Prepared:
    """Load the model, make it an inference graph, optimize it, and save both with the samples.

    Args:
        wanted: artifacts that are refused now if they cannot hold so large a model, and not when they are written.

    Raises:
        ExportError: the model or the data is not what the target says, or a transform broke its promise.
        ConversionError: something of what is wanted cannot hold the model.
    """
    form, source = source_of(target.model)
    trained = source.read(target.model)
    graph = forward_graph(trained, target.model)
    served, _ = apply(graph, named(INFERENCE), None)
    graph = graph if graph.inputs else find_inputs(graph, served)
    served = replace(served, inputs=graph.inputs)
    with naming_cuts(served, trained.tables):
        _refuse_unusable(graph, served)
        _refuse_random(served)
    _refuse_too_large(target, served, wanted)
    samples = gather(target, served, folder)
    raw = {name: array[:VERIFIED_SAMPLES] for name, array in samples.items()}
    probe = ready(raw, target.model.preprocessing, graph.inputs)
    reference, inferring = apply(graph, named(INFERENCE), probe)
    _check_labels(target, reference)
    reference.save(folder / REFERENCE)
    said: list[str] = []
    optimized, rewritten = apply(reference, _steps(target, reference, said.append), probe)
    folded = {name: how for name, how in target.model.preprocessing.items() if how.fold}
    if folded:
        optimized, done = _fold(optimized, folded, ready(raw, outside(target), graph.inputs), probe)
        rewritten = [*rewritten, done]
    optimized.save(folder / OPTIMIZED)
    frozen_size = optimized.to_graph_def(without=optimized.constants).ByteSize() + total_bytes(optimized.constants)
    parameters = sum(array.size for array in optimized.constants.values() if array.dtype.kind == "f")
    transforms = (*inferring, *rewritten)
    return Prepared(
        form,
        (*trained.notes, *_dropped(graph, served), *said),
        optimized.inputs,
        optimized.outputs,
        transforms,
        parameters,
        frozen_size,
    )


def _refuse_too_large(target: Target, served: Graph, wanted: Sequence[Artifact]) -> None:
    """Refuse by what the graph will hold once it is optimized; where it is large, finding that takes seconds.

    Running it, with all that follows, would take minutes.
    """
    named_formats = [(artifact.name, artifact.format) for artifact in wanted]
    try:
        refuse_too_large(total_bytes(served.constants), named_formats, FORMATS)
    except ConversionError:  # unless the transforms make it smaller
        steps = [step for step in _steps(target, served, note=lambda _: None) if step[0] not in _RESCALING]
        optimized, _ = apply(served, steps, None)
        refuse_too_large(total_bytes(optimized.constants), named_formats, FORMATS)


def _steps(target: Target, graph: Graph, note: Callable[[str], object]) -> list[tuple[str, Transform]]:
    shapes = {spec.name: spec.shape for spec in target.model.inputs if spec.shape is not None}
    changed = any(spec.shape != shapes.get(spec.name, spec.shape) for spec in graph.inputs)
    fix = [
        ("fix_shapes", Transform(lambda g: fix_shapes(g, shapes), tolerance=1e-4)),
        ("fix_element_shapes", Transform(fix_element_shapes)),
    ]
    listed = [step for call in target.transforms.passes.calls for step in _listed(call, note)]
    return [*(fix if changed else ()), *listed]


def _listed(call: Call, note: Callable[[str], object]) -> list[tuple[str, Transform]]:
    """What a target lists: one of our transforms, or one of the Graph Transform Tool's; or the default of ours."""
    if call.name == "default":
        return named([name for name in DEFAULT if name not in INFERENCE])  # those have run already
    if call.name in GRAPH_TRANSFORMS:
        return [(call.name, Transform(partial(run_call, call, note=note), GRAPH_TRANSFORMS[call.name].tolerance))]
    return named([call.name])


def _fold(graph: Graph, recipes: Recipes, raw: Samples, probe: Samples) -> tuple[Graph, Applied]:
    """`graph` with preprocessing inside: it must answer to `raw` samples as it did to `probe`, the ready ones."""
    step = Transform(lambda g: fold_preprocessing(g, recipes), FOLDED_TOLERANCE)
    folded, (done,) = apply(graph, [("fold_preprocessing", step)], None)
    with Session(graph) as before, Session(folded) as after:
        expected, answers = run_samples(before, probe), run_samples(after, raw)
    difference = max(relative_difference(expected[name], answers[name]) for name in expected)
    if not difference <= FOLDED_TOLERANCE:
        raise ConversionError(
            f"model.inputs.preprocessing.fold: with preprocessing inside, the graph's answers move by {difference:.3g} "
            f"of their magnitude, more than {FOLDED_TOLERANCE:.3g}; leave fold out, and preprocess in the app"
        )
    return folded, replace(done, difference=difference)


def _refuse_unusable(graph: Graph, served: Graph) -> None:
    """Placeholders that nobody would feed, and edges that no file can have."""
    fed = {node_name(spec.tensor) for spec in graph.inputs}
    unfed = [
        name for name, node in served.nodes.items() if node.op in ("Placeholder", "PlaceholderV2") and name not in fed
    ]
    if unfed:
        raise ModelError(
            f"the outputs need the placeholder {unfed[0]!r}, which is no input; name it in [[model.inputs]], "
            "or give it a value in [[model.constants]]"
        )
    for kind, spec in [*(("input", s) for s in graph.inputs), *(("output", s) for s in graph.outputs)]:
        if spec.dtype in ("string", "resource", "variant"):
            node = node_name(spec.tensor)
            if node not in served.reachable(output.tensor for output in graph.outputs):
                raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}, and no output needs it; leave it out")
            raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}, which no format here holds", nodes=[node])
        if 0 in (spec.shape or ()):
            shape = format_shape(spec.shape)
            raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}{shape}, which holds nothing; leave it out")


def _dropped(graph: Graph, served: Graph) -> list[str]:
    """What to say of dropout that was live in the graph as it was saved."""
    live = [name for name, node in graph.nodes.items() if node.op in RANDOM and name not in served.nodes]
    if not live:
        return []
    more = f" and {len(live) - 1} more" if len(live) > 1 else ""
    return [f"dropout was live in the graph (node {live[0]!r}{more}) and is taken out; files are compared without it"]


def _refuse_random(served: Graph) -> None:
    random = [obstacle for obstacle in unportable(served) if obstacle.reason == DRAWS]
    if random:
        raise ModelError(
            f"{random[0]} and is no dropout, so that the model never answers the same twice; export it in inference "
            "mode, or let the app bring the numbers",
            nodes=[obstacle.node for obstacle in random],
        )


def _check_labels(target: Target, graph: Graph) -> None:
    """A file of labels must name every class, and no more."""
    for output, spec in zip(target.model.outputs, graph.outputs, strict=False):
        if output.labels is None or not spec.shape or spec.shape[-1] < 0:
            continue
        names = read_labels(output.labels)
        if len(names) != spec.shape[-1]:
            raise ModelError(
                f"{output.labels}: has {len(names)} lines and output {spec.name!r} has {spec.shape[-1]} classes; "
                "write one name a line, in the order of training"
            )
