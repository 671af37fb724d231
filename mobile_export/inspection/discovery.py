"""Finding the network in a model of which nobody says what its inputs and outputs are, or whose own cannot be held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mobile_export.advice import described
from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.cuts import Obstacle, cut, unportable
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.inspection.findings import Edge, Edges
from mobile_export.network import answers, signature
from mobile_export.network.forward import find_inputs, forward_graph
from mobile_export.network.trained import Trained
from mobile_export.target import Constant, Input, Model, Output
from mobile_export.transforms import INFERENCE, apply, named
from mobile_export.transforms.patterns import drop_unused_functions


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        model: what a target has to say for a build of the network, its inputs and outputs by name; None without one.
        served: the network as inference runs it, frozen; None where there is none.
        obstacles: what no file can hold, a sentence each.
        cut: where they are cut off, with the lines for a target; "" without obstacles.
        problem: why there is no network; "" where there is one.
    """

    inputs: Edges
    outputs: Edges
    model: Model | None = None
    served: Graph | None = None
    obstacles: tuple[str, ...] = ()
    cut: str = ""
    problem: str = ""


def find_network(trained: Trained, model: Model) -> Found:
    """The network of a model, cut off from what no file can hold where there is such a thing; nothing is run.

    Args:
        model: what is known; where it leaves a choice, the likeliest is taken.
    """
    outputs = _outputs(trained.graph, model)
    whole = replace(trained.graph.copy(), outputs=outputs.chosen)
    inputs = _inputs(whole, model)
    if not outputs.chosen or not inputs.chosen:
        missing = signature.ambiguous("input" if outputs.chosen else "output", [])
        return Found(inputs, outputs, problem=str(missing))
    wanted = model if outputs.how in ("user", "signature") else _with(model, outputs=outputs.chosen)
    wanted = _with(wanted, inputs=inputs.chosen) if inputs.how == "candidates" else wanted
    wanted, served, error = _serve_without_switches(trained, wanted)
    rest = served if served is not None else _needed(whole, inputs.chosen)
    obstacles = unportable(rest)
    if error is not None and not error.nodes:
        return Found(inputs, outputs, obstacles=tuple(map(str, obstacles)), problem=str(error))
    if served is not None and not obstacles:
        return _found(trained, wanted, served, inputs, outputs)
    return _cut_off(trained, wanted, rest, obstacles, error, Found(inputs, outputs))


def _cut_off(
    trained: Trained,
    wanted: Model,
    rest: Graph,
    obstacles: Sequence[Obstacle],
    error: ModelError | ConversionError | None,
    found: Found,
) -> Found:
    """The network without what stands in its way: `obstacles`, and the nodes that `error` names."""
    nodes = {*(obstacle.node for obstacle in obstacles), *(error.nodes if error is not None else ())}
    where = described(rest, cut(rest, nodes))
    found = replace(found, obstacles=tuple(map(str, obstacles)), cut=where.sentence(trained.tables))
    if where.possible:
        wanted = _with(wanted, inputs=where.inputs, outputs=where.outputs)
        served, error = _serve(trained, wanted)
        if served is not None:
            inputs = (
                Edges("cut", tuple(map(Edge, where.inputs))) if where.head or where.dropped_inputs else found.inputs
            )
            outputs = (
                Edges("cut", tuple(map(Edge, where.outputs))) if where.tail or where.dropped_outputs else found.outputs
            )
            return replace(_found(trained, wanted, served, inputs, outputs), obstacles=found.obstacles, cut=found.cut)
        return replace(found, problem=f"{'; '.join(found.obstacles[:1])}; where that is cut off, {error}")
    return replace(found, problem=f"{'; '.join(found.obstacles[:1])}: {found.cut}" if error is None else str(error))


def _found(trained: Trained, wanted: Model, served: Graph, inputs: Edges, outputs: Edges) -> Found:
    """The network `served`: its inputs and outputs, under names that differ, as the build will be told them."""
    tensors = {i.name: i.tensor for i in wanted.inputs} | {o.name: o.tensor for o in wanted.outputs}
    signed = {spec.name for spec in (*trained.graph.inputs, *trained.graph.outputs)} - tensors.keys()
    taken = {spec.name for spec in served.inputs}

    def tensor(spec: TensorSpec) -> str | None:
        return None if spec.name in signed else tensors.get(spec.name) or spec.tensor

    model = wanted.model_copy(
        update={
            "inputs": tuple(Input(name=spec.name, tensor=tensor(spec)) for spec in served.inputs),
            "outputs": tuple(Output(name=_free(spec.name, taken), tensor=tensor(spec)) for spec in served.outputs),
        }
    )
    off = {constant.tensor for constant in model.constants}
    inputs = replace(
        inputs, edges=tuple(_switched_off(edge) if edge.spec.tensor in off else edge for edge in inputs.edges)
    )
    return Found(_filled(inputs, served.inputs), _filled(outputs, served.outputs), model, served)


def _switched_off(edge: Edge) -> Edge:
    return replace(edge, why="a switch of training, as it seems, and off", chosen=False)


def _free(name: str, taken: Iterable[str]) -> str:
    return f"{name}_out" if name in taken else name


def _filled(edges: Edges, specs: Sequence[TensorSpec]) -> Edges:
    """`edges` with those chosen as the network has them: what it does not need is chosen no more."""
    by_tensor = {spec.tensor: spec for spec in specs}
    by_name = {spec.name: spec for spec in specs}
    found = []
    for edge in edges.edges:
        spec = by_tensor.get(edge.spec.tensor, by_name.get(edge.spec.name))
        chosen = edge.chosen and spec is not None
        known = replace(edge.spec, name=spec.name, dtype=spec.dtype, shape=spec.shape) if chosen and spec else edge.spec
        found.append(replace(edge, spec=known, chosen=chosen))
    return replace(edges, edges=tuple(found))


def _serve(trained: Trained, model: Model) -> tuple[Graph | None, ModelError | ConversionError | None]:
    """The network as inference runs it, or why there is none."""
    try:
        graph = forward_graph(trained, model)
        served, _ = apply(graph, named(INFERENCE), None)
        graph = graph if graph.inputs else find_inputs(graph, served)
    except (ModelError, ConversionError) as error:
        return None, error
    return replace(served, inputs=graph.inputs), None


def _serve_without_switches(
    trained: Trained, model: Model
) -> tuple[Model, Graph | None, ModelError | ConversionError | None]:
    """The same; single booleans among several inputs are switches of training, whatever their name, and are off."""
    served, error = _serve(trained, model)
    inputs = served.inputs if served is not None and not (model.inputs or trained.graph.inputs) else ()
    switches = [spec for spec in inputs if spec.dtype == "bool" and spec.shape == ()]
    if not switches or len(switches) == len(inputs):
        return model, served, error
    off = tuple(Constant(tensor=spec.tensor, value=False) for spec in switches)
    model = model.model_copy(update={"constants": (*model.constants, *off)})
    return model, *_serve(trained, model)


def _given(wanted: Sequence[Input | Output], signed: Sequence[TensorSpec]) -> Edges | None:
    """What the user names, or else the model's own signature; None where there is neither."""
    if wanted:
        tensors = {spec.name: spec.tensor for spec in signed}
        specs = [TensorSpec(one.name, one.tensor or tensors.get(one.name, ""), "", None) for one in wanted]
        return Edges("user", tuple(map(Edge, specs)))
    return Edges("signature", tuple(map(Edge, signed))) if signed else None


def _outputs(graph: Graph, model: Model) -> Edges:
    given = _given(model.outputs, graph.outputs)
    if given is not None:
        return given
    ranked = answers.rank_outputs(graph)
    clear = answers.are_clear(graph, answers.find_outputs(graph))
    how: Literal["inferred", "candidates"] = "inferred" if clear else "candidates"
    return Edges(how, _typed(graph, ranked))


def _inputs(graph: Graph, model: Model) -> Edges:
    """Inputs of `graph`, which has its outputs; a placeholder among them may turn out not to be needed."""
    given = _given(model.inputs, graph.inputs)
    if given is not None:
        return given
    ranked = signature.rank_inputs(graph)
    placeholders = signature.find_inputs(graph)
    inferred = any(candidate.likely and candidate.tensor in placeholders for candidate in ranked)
    return Edges("inferred" if inferred else "candidates", _typed(graph, ranked))


def _typed(graph: Graph, ranked: Sequence[signature.Candidate]) -> tuple[Edge, ...]:
    tensors = [candidate.tensor for candidate in ranked]
    names = signature.public_names(graph, tensors)
    part = replace(graph.copy(), inputs=(), outputs=tuple(TensorSpec(t, t, "", None) for t in tensors))
    part.prune()
    drop_unused_functions(part)
    try:
        specs = signature.describe(part, tensors, names)
    except ModelError:  # one of them spoils it for the others
        specs = tuple(signature.input_spec(graph, name, tensor) for name, tensor in zip(names, tensors, strict=True))
    return tuple(Edge(spec, c.why, c.likely) for spec, c in zip(specs, ranked, strict=True))


def _needed(graph: Graph, inputs: Sequence[TensorSpec]) -> Graph:
    """What the outputs of `graph` need, from `inputs` on, as it was saved."""
    graph = replace(graph, inputs=tuple(inputs))
    graph.prune()
    return graph


def _with(model: Model, inputs: Sequence[TensorSpec] = (), outputs: Sequence[TensorSpec] = ()) -> Model:
    """`model` with these inputs and outputs named, where any are given."""
    named_inputs = tuple(Input(name=spec.name, tensor=spec.tensor) for spec in inputs)
    named_outputs = tuple(Output(name=spec.name, tensor=spec.tensor) for spec in outputs)
    return model.model_copy(update={"inputs": named_inputs or model.inputs, "outputs": named_outputs or model.outputs})
