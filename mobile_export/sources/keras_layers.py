"""In what order the layers of a Keras model can be called, found before the loader of tf_keras looks for it.

That loader calls a layer as soon as all is there that the layer takes, and goes round until none is left. Where one
takes what no other gives, it goes round for ever.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_MODELS = frozenset({"Functional", "Model", "Sequential"})
"""Layers whose first call may be that of their own inputs, which is not written down."""

_CONSTANT = "_CONSTANT_VALUE"


def check_order(config: Any) -> None:
    """Raise ValueError when the layers of `config`, or of a model inside of it, cannot be called in any order."""
    todo = [config]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += value.values()
            if isinstance(value.get("layers"), list):
                _check_layers([layer for layer in value["layers"] if isinstance(layer, dict)])
        elif isinstance(value, list):
            todo += value


def _check_layers(layers: list[dict[str, Any]]) -> None:
    kinds = {str(layer.get("name")): layer.get("class_name") for layer in layers}
    waiting: dict[str, list[set[tuple[str, str]]]] = {name: [] for name in kinds}
    for layer in layers:
        waiting[str(layer.get("name"))] += _calls(layer, kinds)
    called = {name: int(kind in _MODELS) for name, kind in kinds.items()}
    made = {(name, "0") for name, count in called.items() if count}
    while waiting := {name: calls for name, calls in waiting.items() if calls}:
        before = len(made)
        for name, calls in waiting.items():
            while calls and calls[0] <= made:
                calls.pop(0)
                made.add((name, str(called[name])))
                called[name] += 1
        if len(made) == before:
            raise ValueError(f"the layer {next(iter(waiting))!r} takes what no layer gives before it")


def _calls(layer: Mapping[str, Any], kinds: Mapping[str, Any]) -> list[set[tuple[str, str]]]:
    """For each call of `layer`, the calls whose results it takes: names of layers, and which of their calls."""
    nodes = layer.get("inbound_nodes")
    found = [set(_taken(node)) for node in nodes] if isinstance(nodes, list) else []
    return [{(name, call) for name, call in taken if kinds.get(name) != "InputLayer"} for taken in found]


def _taken(node: Any) -> Iterator[tuple[str, str]]:
    """What `node` names as [layer, call, output], or with further arguments behind, at any depth."""
    todo = [node]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
            if len(value) in (3, 4) and isinstance(value[0], str) and value[0] != _CONSTANT:
                yield value[0], str(value[1])
