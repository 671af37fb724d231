"""Which tensors are the model's answers, where nobody says: what is left at the end once training is taken away."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from mobile_export.graphs.graph import Graph, attribute, data_inputs, node_name, port
from mobile_export.graphs.names import is_operators
from mobile_export.graphs.ops import LAYERS, LOSSES, SHAPE_OPS, VARIABLES
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_name, read_shape
from mobile_export.network.cones import Cones, is_update
from mobile_export.network.signature import LISTED, MOST, Candidate
from mobile_export.transforms.drop_control_edges import OBSERVERS
from mobile_export.transforms.operators import node_outputs, output_dtype

_OBSERVERS = re.compile(
    r"(Save|Restore|Merge(Summary|V2Checkpoints)|.*Summary|.*Queue|.*Reader|.*Dataset|.*Iterator|NoOp$|PrintV2|Assert|"
    r"VarIsInitialized|IsVariableInitialized|ShardedFilename|WriteFile)"
)

_ASSERTION = re.compile(r"(^|/)AssertGuard(_\d+)?(/|$)")

_METRIC_OPS = frozenset(
    """
    ArgMax Cast Equal Greater GreaterEqual Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual OneHot Round TopK
    TopKV2
    """.split()
)
"""First steps of metrics, and no answers where only those read them."""

_PARTS = frozenset("Slice Split SplitV StridedSlice Unpack".split())
"""What losses compare one by one, and no answers where nobody gave them names: the whole is."""

_REARRANGING = _PARTS | frozenset("ExpandDims Identity Reshape Squeeze Tile".split())
"""First steps of losses likewise, if more is left."""

_LOSS_STEPS = frozenset("Abs Log Log1p LogSoftmax Neg Square".split())
"""Steps of losses that need no labels, where only losses read them and nobody gave them a name."""

_ARITHMETIC = frozenset("Add AddV2 Cast ClipByValue Maximum Minimum Mul RealDiv Sub".split())
"""Steps before those, and before a picture in a summary."""

_ANSWERS = frozenset("ArgMax Cast LogSoftmax Sigmoid Softmax StridedSlice Tanh TopK TopKV2".split())
"""What makes probabilities or classes of a last layer's answers."""

_SEVERAL = frozenset(
    "CombinedNonMaxSuppression NonMaxSuppressionV4 NonMaxSuppressionV5 Split SplitV TopK TopKV2".split()
)
"""All of whose results are answers."""

_FUNCTION_NAMES = re.compile(
    r"(clip_by_value|control_dependency|expand_dims|one_hot|strided_slice|truediv|unstack)(_\d+)?"
)
"""Names that TensorFlow's Python functions give, besides those of operators."""

_CUSTOMARY = re.compile(
    r"(^|[/_])(outputs?|predictions?|prob(s|abilit(y|ies))?|softmax(_tensor)?|logits|embeddings?|scores?|final_result|"
    r"labels_softmax|detection_\w+|y_pred)(_\d+)?$",
    re.I,
)

_STEPS = 64
"""Nodes that are looked at between a graph's end and its last layer."""
_TEXT = frozenset("AsString LookupTableFind LookupTableFindV2".split())
_UNHELD = ("string", "resource", "variant")


def find_outputs(graph: Graph) -> list[str]:
    """Tensors that look like the model's answers: what nobody reads once training is taken away.

    From the end of the graph, these are peeled off until nothing more is: savers, summaries and assertions; updates
    (assignments, gradients) and what feeds them alone; what depends on no input or no variable; losses and metrics,
    which bring in a further placeholder, the labels, behind the last layer, or reduce a batch to one number; their
    first steps (an ArgMax, say); text, which is made of numbers; and what a loop hands out besides what is asked for.
    """
    answers = _Answers(graph)
    return answers.tensors([*answers.judged(), *answers.find()])


def are_clear(graph: Graph, found: Sequence[str]) -> bool:
    """Whether `found`, which `find_outputs` found, are what is meant: one, or the few ends of a frozen graph."""
    return len(found) == 1 or (0 < len(found) <= LISTED and _is_frozen(graph))


def _is_frozen(graph: Graph) -> bool:
    """Whether somebody has taken the training away, and so has said by the graph's ends what the answers are."""
    return not any(node.op in VARIABLES or is_update(node) for node in graph.nodes.values())


class _Answers:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._functions = {function.signature.name: function for function in graph.library.function}
        self.frozen = _is_frozen(graph)
        self.cones = Cones(graph)
        self._loops = {loop: name for name, loop in reversed(self.cones.loops.items())}
        self.readers = self._find_readers()
        self._updates = self._find_updates()
        self._observers = {name for name in self.readers if self._observes(graph.nodes[name])}

    def tensors(self, names: Sequence[str]) -> list[str]:
        """Those results of the nodes `names` that are answers."""
        return [f"{name}:{i}" for name in names for i in range(self._results(name))]

    def judged(self) -> list[str]:
        """Nodes that are answers, though a further network goes on from them: it only trains them."""
        return [] if self.frozen else self.cones.judged()

    def find(self) -> list[str]:
        """Nodes that nobody reads once training is taken away."""
        updates, steps = set(self._updates), set(self._observers)
        apart = updates | steps | self._unasked_results()
        waiting = {name: len(readers - apart) for name, readers in self.readers.items()}
        read: dict[str, list[str]] = defaultdict(list)
        for name, readers in self.readers.items():
            for reader in readers:
                read[reader].append(name)
        sinks = {name for name, count in waiting.items() if not count and name not in apart}
        while True:
            feeding = {n for n in sinks if self.readers[n] and self.readers[n] <= updates and not self._scores(n)}
            silent = {n for n in sinks if not self.is_held(n) or not self.cones.answers(n)}
            first_steps = {n for n in sinks if self.readers[n] and self._is_first_step(n, steps, len(sinks) == 1)}
            peeled = feeding | silent | first_steps or self._class_numbers(sinks)
            if not peeled:
                return [name for name in self._graph.nodes if name in sinks]
            updates |= feeding
            steps |= {n for n in first_steps if self._graph.nodes[n].op not in _METRIC_OPS - _ARITHMETIC}
            sinks -= peeled
            for name in (before for reader in peeled for before in read[reader]):
                waiting[name] -= 1
                if not waiting[name] and name not in apart:
                    sinks.add(name)

    def is_held(self, name: str) -> bool:
        """Whether an app can be given what the node makes: numbers, and not those that a loop counts with."""
        node = self._graph.nodes[name]
        if name in self.cones.loops or dtype_name(output_dtype(node, 0, self._functions) or 0) in _UNHELD:
            return False
        loop = self._graph.producer(node.input[0]) if node.op == "Identity" and node.input else None
        shapes = attribute(loop, "output_shapes").list.shape if loop is not None and _is_loop(loop) else []
        index = port(node.input[0]) if shapes else 0
        return index >= len(shapes) or read_shape(shapes[index]) != ()

    def reads_only_loss(self, name: str) -> bool:
        """Whether all that goes on from here is a loss that compares classes."""
        todo, seen = list(self.readers[name]), set[str]()
        while todo:
            node = self._graph.nodes[todo.pop()]
            if node.name in seen or node.op in SHAPE_OPS or self.is_training(node.name):
                continue
            if node.op in _REARRANGING:
                todo += self.readers[node.name]
            elif node.op not in LOSSES:
                return False
            else:
                seen.add(node.name)
        return bool(seen)

    def is_result(self, name: str) -> bool:
        """Whether the node computes, from inputs and weights, what an app can be given."""
        return not self.is_training(name) and self.cones.answers(name) and self.is_held(name)

    def is_customary(self, name: str) -> bool:
        """Whether somebody gave the node a name that many models give their answers."""
        return _CUSTOMARY.search(name) is not None and not self.is_unnamed(name)

    def is_training(self, name: str) -> bool:
        """Whether the node updates something, or only watches."""
        return name in self._updates or name in self._observers

    def is_unnamed(self, name: str) -> bool:
        """Whether nobody gave the node a name of its own."""
        last = name.rpartition("/")[2]
        return is_operators(last, self._graph.nodes[name].op) or _FUNCTION_NAMES.fullmatch(last) is not None

    def _observes(self, node: NodeDef) -> bool:
        """Whether `node` only watches; one that passes on what it sees is part of the network where that is read."""
        asserts = _OBSERVERS.match(node.op) or _ASSERTION.search(node.name)
        return bool(asserts) or (node.op in OBSERVERS and not self.readers[node.name])

    def _find_readers(self) -> dict[str, set[str]]:
        """Who reads what each node makes; a loop of TensorFlow 1 is one step here, under the name of its first node."""
        readers: dict[str, set[str]] = {self._step(name): set() for name in self._graph.nodes}
        for node in self._graph.nodes.values():
            for tensor in data_inputs(node):
                if self._step(node_name(tensor)) != self._step(node.name):
                    readers[self._step(node_name(tensor))].add(self._step(node.name))
        return readers

    def _step(self, name: str) -> str:
        return self._loops.get(self.cones.loops.get(name, ""), name)

    def _find_updates(self) -> set[str]:
        """Steps that update; a loop is none where it computes answers as well."""
        found = {self._step(node.name) for node in self._graph.nodes.values() if is_update(node)}
        return found - {self._step(n) for n in self.cones.loops if not is_update(self._graph.nodes[n])}

    def _unasked_results(self) -> set[str]:
        """What loops hand out and nobody reads or has named, where another result of the same loop is asked for."""
        results: dict[str, list[str]] = defaultdict(list)
        for node in self._graph.nodes.values():
            if node.name in self.cones.loops:
                continue
            if node.op in ("Exit", "RefExit"):
                results[self.cones.loops.get(node_name(node.input[0]), "")].append(node.name)
            elif node.op == "Identity" and _is_loop(self._graph.nodes[node_name(node.input[0])]):
                results[node_name(node.input[0])].append(node.name)
        unasked = {n for found in results.values() for n in found if not self.readers[n] and self.is_unnamed(n)}
        return {n for found in results.values() if not unasked.issuperset(found) for n in unasked.intersection(found)}

    def _is_first_step(self, name: str, steps: set[str], alone: bool) -> bool:
        """A metric's ArgMax; a loss's flattening, difference or clipping that nobody gave a name."""
        node = self._graph.nodes[name]
        if node.op in _METRIC_OPS:
            return True
        if not self.is_unnamed(name):
            return False
        if node.op in _PARTS | _LOSS_STEPS or (node.op in _REARRANGING and not alone) or self.cones[name].compared:
            return True
        operands = [self.cones[node_name(i)] for i in data_inputs(node)]
        changing = [cone for cone in operands if cone.placeholders or cone.variable]
        return node.op in _ARITHMETIC and len(changing) == 1 and self.readers[name] <= steps | self._updates

    def _scores(self, name: str) -> bool:
        """Whether the node makes scores of a layer's answers: a metric's variables may be all that those go into."""
        return self._graph.nodes[name].op in ("Sigmoid", "Softmax") and self.cones.answers(name)

    def _class_numbers(self, sinks: Collection[str]) -> set[str]:
        """Numbers of classes in a training graph, where the scores that they are made of are there as well."""
        ways = {name: self.last_layer(name) for name in sinks}
        scored = {layer for layer, steps in ways.values() if "ArgMax" not in steps}
        numbers = {n for n, (layer, steps) in ways.items() if "ArgMax" in steps and layer in scored}
        return set() if self.frozen else numbers

    def last_layer(self, name: str) -> tuple[str, list[str]]:
        """The first node, going back from `name`, that does more than to end a network; and the operators behind it."""
        steps: list[str] = []
        node = self._graph.nodes[name]
        while node.op in _ANSWERS | _REARRANGING and len(steps) < _STEPS:
            before = self._graph.producer(node.input[1 if node.op == "Split" else 0]) if node.input else None
            if before is None:
                break
            steps.insert(0, node.op)
            node = before
        return node.name, [op for op in dict.fromkeys(steps) if op not in _REARRANGING]

    def _results(self, name: str) -> int:
        node = self._graph.nodes[name]
        outputs = node_outputs(node, self._functions) if node.op in _SEVERAL else None
        return sum(len(output.dtypes) for output in outputs) if outputs else 1


def _is_loop(node: NodeDef) -> bool:
    return node.op in ("While", "StatelessWhile")


def rank_outputs(graph: Graph) -> list[Candidate]:
    """Tensors that may be the model's answers, the likeliest first.

    What `find_outputs` finds comes first; it is likely where it hangs on most of the network, and is not there for a
    loss alone while another answer has got a name. Then follow the last layers before it (logits, say). Where nothing
    is found, last layers that a loss or a metric reads are all there is; in a graph without layers, what depends on an
    input.
    """
    answers = _Answers(graph)
    judged, ends = answers.judged()[:MOST], answers.find()[:MOST]
    found = [Candidate(t, "further layers judge it as they do samples", True) for t in answers.tensors(judged)]
    found += _ranked(graph, answers, ends, bool(judged))
    for name in ends:
        layer, steps = answers.last_layer(name)
        if layer not in ends and set(steps) & _ANSWERS:
            found.append(Candidate(f"{layer}:0", f"{name!r} before its {' and '.join(steps)}", False))
    ranked = {candidate.tensor for candidate in found}
    for name in graph.nodes if ranked else ():
        if answers.is_customary(name) and f"{name}:0" not in ranked and answers.is_result(name):
            found.append(
                Candidate(f"{name}:0", f"{graph.nodes[name].op}; named as answers are; more is made of it", False)
            )
    if not found:
        layers = answers.cones.last_layers()
        found = [Candidate(f"{name}:0", "last layer; only training reads it", True) for name in layers]
    if not found:
        plain = [n for n in graph.nodes if not answers.is_training(n) and answers.is_held(n)]
        unread = [name for name in plain if not answers.readers.get(name) and answers.cones.sources_of(name)]
        found = [Candidate(f"{n}:0", "no layer, but an input reaches it and nothing reads it", True) for n in unread]
    return list({candidate.tensor: candidate for candidate in reversed(found)}.values())[::-1][:MOST]


def _ranked(graph: Graph, answers: _Answers, ends: Sequence[str], judged: bool) -> list[Candidate]:
    depths = {name: len(graph.reachable([name]) & answers.cones.trained) for name in ends}
    deep = {name for name in ends if answers.frozen or 2 * depths[name] >= max(depths.values())}
    served = {name for name in deep if not answers.readers[name] and not answers.is_unnamed(name)}
    trains = {name for name in ends if judged or (served and answers.reads_only_loss(name))}
    texts = graph.reachable(name for name, node in graph.nodes.items() if node.op in _TEXT)
    customary = {name for name in ends if answers.is_customary(name)}
    order = sorted(ends, key=lambda n: (n not in deep, n in trains, bool(answers.readers[n]), n not in customary))
    return [
        Candidate(tensor, _why(graph, answers, name, texts, name in customary), name in deep - trains)
        for name in order
        for tensor in answers.tensors([name])
    ]


def _why(graph: Graph, answers: _Answers, name: str, texts: set[str], customary: bool) -> str:
    layer, steps = answers.last_layer(name)
    if steps:
        position = f"{' and '.join(steps)} behind the last layer"
    else:
        position = "last layer" if graph.nodes[layer].op in LAYERS else f"{graph.nodes[layer].op} at the end"
    readers = "training, metrics and text" if name in texts else "training and metrics"
    read = f"only {readers} read it" if answers.readers[name] else "nothing reads it"
    return f"{position}; {read}{'; named as answers are' if customary else ''}"
