"""A target file to start from, out of what an inspection finds: it builds as it is, and says what else there is."""

import json
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import ConversionError, ModelError, OutputError, TargetError
from mobile_export.formats import FORMATS, QUANTIZABLE
from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.inspection.findings import Edge, Edges, Inspection, Ready, Seen, Verdict
from mobile_export.inspection.inspect import inspect_model
from mobile_export.spelling import FILE_STEM
from mobile_export.target import AUTO, Input, Model, Output

_GENERIC = frozenset({"", "model", "saved_model", "frozen_model", "checkpoint", "ckpt", "variables", "export"})
"""Names of models that say nothing; the folder's says more."""

_LISTED = 5
"""Obstacles that are named."""

_COLUMN = 34
"""Where comments behind a key begin."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no comment may have."""

_WRAPPER = textwrap.TextWrapper(
    120, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
)

_HOW = {
    "user": "as they were named",
    "signature": "by the model's own signature, which knows their tensors",
    "inferred": "as the graph shows them",
    "candidates": "of which the graph does not show what the app needs: take out what it does not",
    "cut": "where what files can hold begins or ends",
}

_DATA = """\
Without data, files are compared with the model on random values. Better is what the app will feed: an .npz file with
one array for each input,
{arrays}
and, to measure accuracy, `label`, the right class of each sample, integers [samples].
[data]
calibration = {{ source = "calibration.npz", samples = 200 }}
evaluation = {{ source = "evaluation.npz", metric = "top1" }}"""

OFFERED = tuple(key for key in FORMATS if key != "ort")
"""Formats that a target begins with; an .ort file is an .onnx file for a runtime that an app builds itself."""
TRIED = ("float32", "float16", "dynamic")
"""Precisions that are tried without data; weight-only ones are left to a search."""


@dataclass(frozen=True)
class Started:
    """A target file that was written: the artifacts in it, and what every format came to."""

    path: Path
    name: str
    artifacts: tuple[str, ...]
    found: Inspection


def start(
    model: Model,
    out: Path,
    name: str,
    platform: str,
    jobs: int = 1,
    watcher: workers.Watcher | None = None,
) -> Started:
    """Inspect a model, and write a target for it to `out`.

    Raises:
        OutputError: `out` is there already, or cannot be written.
        TargetError: the name or a path cannot be in a target.
        ModelError, ConversionError: nothing can be made of the model.
    """
    if not FILE_STEM.fullmatch(name):
        raise TargetError(f"--name: {name!r} cannot be a target's; use lower-case letters, digits and underscores")
    if out.exists():
        raise OutputError(f"{out}: is there already, and is not overwritten; choose another file with --out")
    if not out.parent.is_dir():
        raise OutputError(f"{out.parent}: no such folder; make it, or choose another file with --out")
    tried = {key: [p for p in TRIED if p in FORMATS[key].precisions] for key in OFFERED}
    found = inspect_model(model, tried, jobs, watcher)
    if found.ready is None:
        raise ModelError(found.problem)
    if not _made(found.verdicts):
        raise ConversionError("\n".join(f"{v.format} {v.precision}: {v.reason}" for v in found.verdicts))
    text = target_text(found, found.ready, name, platform, out.resolve().parent)
    try:
        with out.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{out}: is there already, and is not overwritten; choose another file with --out") from None
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}; choose another file with --out") from error
    return Started(out, name, tuple(_artifact_name(name, verdict) for verdict in _made(found.verdicts)), found)


def name_for(source: Path) -> str:
    """A target's name for the model at `source`: that of the file, or of the nearest folder whose name says more."""
    whole = source.resolve()
    for part in (whole.name.partition(".")[0], *(folder.name for folder in whole.parents)):
        name = re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_")
        if name not in _GENERIC:
            return name
    return "model"


def file_for(name: str) -> Path:
    """Where the target of that name is written by default."""
    return Path("targets" if Path("targets").is_dir() else "", f"{name}.toml")


def target_text(found: Inspection, ready: Ready, name: str, platform: str, folder: Path) -> str:
    """The target file.

    Args:
        folder: where it is going to lie, without links; paths are relative to it.

    Raises:
        TargetError: a path is no text.
    """
    parts = [
        _head(name, platform),
        _model(found, ready.model, folder),
        *_left_out(found.seen),
        *_inputs(found.seen.inputs, ready),
        *_outputs(found, ready),
        *_constants(ready.model),
        _data(ready),
        *_artifacts(name, found.verdicts),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def quoted(text: str) -> str:
    """`text` as a string of TOML.

    Raises:
        TargetError: it has bytes that are no text, as file names may.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TargetError(f"{text!r}: no TOML file can have a name that is not UTF-8; rename it") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _key(key: str, value: Any, comment: str = "") -> str:
    line = f"{key} = {_value(value)}"
    return f"{line:{_COLUMN}} # {_CONTROL.sub('?', comment)}" if comment else line


def _comment(text: str) -> list[str]:
    """`text` as comments, a line each, or more where one is long."""
    return [part for line in text.splitlines() for part in _WRAPPER.wrap(_CONTROL.sub("?", line))]


def _commented(lines: Iterable[str]) -> list[str]:
    return [f"# {line}" for line in lines]


def _head(name: str, platform: str) -> list[str]:
    return [
        *_comment("What to build for an app, and from which model; written by `mobile-export init`."),
        *_comment("`mobile-export build` with this file builds it; `mobile-export schema` explains every key."),
        "",
        _key("name", name, "of the published folder"),
        _key("platform", platform, "android | ios | any"),
    ]


def _model(found: Inspection, model: Model, folder: Path) -> list[str]:
    lines = ["[model]", *_comment(f"{found.form}: {found.why}"), _key("source", _relative(model.source, folder))]
    if model.checkpoint is not None:
        lines.append(_key("checkpoint", _relative(model.checkpoint, folder)))
    if model.tags is not None:
        lines.append(_key("tags", list(model.tags), f"tag sets: {', '.join(map(str, map(list, found.signatures)))}"))
    if model.signature is not None:
        names = sorted({name for names in found.signatures.values() for name in names})
        lines.append(_key("signature", model.signature, f"signatures: {', '.join(names)}"))
    lines += [_key(key, True) for key in ("moving_average", "trusted") if getattr(model, key)]
    for key in ("custom_objects", "builder"):
        code = getattr(model, key)
        if code is not None:
            lines.append(_key(key, f"{code.module}:{code.name}", "looked for in this file's folder first"))
    if found.seen.moving_averages and not model.moving_average:
        why = f"{found.seen.moving_averages} variables have one; takes them in place of the weights"
        lines += _commented([_key("moving_average", True, why)])
    return lines


def _relative(path: Path, folder: Path) -> str:
    whole = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
    try:
        return Path(os.path.relpath(whole, folder)).as_posix()
    except ValueError:  # on another drive
        return whole.as_posix()


def _left_out(seen: Seen) -> Iterator[list[str]]:
    if seen.obstacles:
        more = f"; and {len(seen.obstacles) - _LISTED} more" if len(seen.obstacles) > _LISTED else ""
        yield _comment(f"No file can hold {'; '.join(seen.obstacles[:_LISTED])}{more}. The app does that itself.")


def _inputs(edges: Edges, ready: Ready) -> Iterator[list[str]]:
    saved = {spec.name: spec for spec in edges.chosen}
    comments = _comment(f"Inputs, {_HOW[edges.how]}.")
    comments += _comment("Names are public: the same in every file, and in the app's code.")
    for named, spec in zip(ready.model.inputs, ready.inputs, strict=True):
        lines = ["[[model.inputs]]", _key("name", named.name, _type(spec))]
        lines += [_key("tensor", named.tensor)] if named.tensor is not None else []
        if named.shape is not None:
            lines.append(_key("shape", list(named.shape), _on_shape(named, saved.get(named.name, spec))))
        if spec.dtype.startswith("float"):
            lines += _comment(
                "What training did to raw values, (raw * scale - mean) / std, if it did; data is raw then:"
            )
            lines += _comment(
                'preprocessing = { scale = 0.00392156862745098, mean = 0.0, std = 1.0, channel_order = "rgb" }'
            )
        yield [*comments, *lines]
        comments = []
    fixed = {constant.tensor for constant in ready.model.constants}
    others = [edge for edge in edges.edges if not edge.chosen and edge.spec.tensor not in fixed]
    if others:
        yield [*_comment("Could be inputs, too:"), *_candidates("input", others)]


def _on_shape(named: Input, saved: TensorSpec) -> str:
    if named.shape == saved.shape:
        return "as saved; -1 is a size that the app chooses" if -1 in (named.shape or ()) else "as saved"
    dynamic = "; -1 is a size that the app chooses" if -1 in (named.shape or ()) else ""
    return f"{format_shape(saved.shape)} as saved; one sample at a time is what phones do{dynamic}"


def _outputs(found: Inspection, ready: Ready) -> Iterator[list[str]]:
    edges = found.seen.outputs
    whys = {edge.spec.name: edge.why for edge in edges.edges if edge.chosen}
    comments = _comment(f"Outputs, {_HOW[edges.how]}.")
    for named, spec in zip(ready.model.outputs, ready.outputs, strict=True):
        yield [*comments, *_output(named, spec, whys.get(named.name, ""))]
        comments = []
    others = [edge for edge in edges.edges if not edge.chosen]
    if others:
        yield [*_comment("Could be outputs, too:"), *_candidates("output", others)]
    for table, path in found.seen.tables.items():
        yield _comment(
            f"The model's lookup table {table!r} is filled from {path}: where an output has a score for "
            "each of its words, it is the file of labels."
        )


def _output(named: Output, spec: TensorSpec, why: str) -> list[str]:
    lines = [*_comment(why), "[[model.outputs]]", _key("name", named.name, _type(spec))]
    lines += [_key("tensor", named.tensor)] if named.tensor is not None else []
    if spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] > 1:
        lines += _commented(
            [_key("labels", "labels.txt", f"{spec.shape[-1]} lines, a class name each, if it is classes")]
        )
    return lines


def _candidates(kind: str, edges: Iterable[Edge]) -> list[str]:
    lines: list[str] = []
    for edge in edges:
        spec = edge.spec
        keys = [f"[[model.{kind}s]]", _key("name", spec.name, _type(spec)), _key("tensor", spec.tensor)]
        lines += [*_comment(edge.why), *_commented(keys)]
    return lines


def _type(spec: TensorSpec) -> str:
    return f"{spec.dtype or 'unknown type'}{format_shape(spec.shape)}"


def _constants(model: Model) -> Iterator[list[str]]:
    comments = _comment("Switches, as they are at inference.")
    for constant in model.constants:
        yield [*comments, "[[model.constants]]", _key("tensor", constant.tensor), _key("value", constant.value)]
        comments = []


def _data(ready: Ready) -> list[str]:
    arrays = "\n".join(f"  {spec.name}: {spec.dtype} {_array_shape(spec)}" for spec in ready.inputs)
    return _comment(_DATA.format(arrays=arrays))


def _array_shape(spec: TensorSpec) -> str:
    sizes = ["any" if size < 0 else str(size) for size in (spec.shape or ())[1:]]
    return f"[{', '.join(['samples', *sizes])}]"


def _made(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that pass; where none does, those that load, which a build with data may pass."""
    loaded = [verdict for verdict in verdicts if verdict.outcome in ("ok", "differs")]
    return [verdict for verdict in loaded if verdict.outcome == "ok"] or loaded


def _artifacts(name: str, verdicts: Sequence[Verdict]) -> Iterator[list[str]]:
    comments = _comment(
        "Files: all that were made of the model when this was written. Take out what the app does not ship."
    )
    made = _made(verdicts)
    for verdict in verdicts:
        lines = ["[[artifacts]]", *_artifact(name, verdict)]
        misses = f"{verdict.format} {verdict.precision} misses a limit on random values: {verdict.reason}"
        if verdict in made:
            yield [*comments, *(_comment(misses) if verdict.reason else []), *lines]
            comments = []
        elif verdict.outcome == "differs":
            yield [*_comment(f"{misses}. With data, it may pass:"), *_commented(lines)]
        else:
            yield _comment(f"{verdict.format} {verdict.precision}, {verdict.outcome}: {verdict.reason}")
    for key in (key for key in OFFERED if key in QUANTIZABLE and any(verdict.format == key for verdict in made)):
        lines = ["[[artifacts]]", *_artifact(name, Verdict(key, "int8", "ok"))]
        interfaces = FORMATS[key].precisions["int8"]
        if len(interfaces) > 1:
            lines.append(_key("interface", interfaces[0], " | ".join(interfaces)))
        why = "int8 needs [data] calibration, from which the ranges of values are measured:"
        yield [*_comment(why), *_commented(lines)]
        lines = ["[[artifacts]]", *_artifact(name, Verdict(key, AUTO, "ok")), "limits = { accuracy_drop = 0.01 }"]
        why = f"{AUTO} searches the smallest file that holds its limits; it needs [data] evaluation, too:"
        yield [*_comment(why), *_commented(lines)]


def _artifact(name: str, verdict: Verdict) -> list[str]:
    lines = [_key("name", _artifact_name(name, verdict)), _key("format", verdict.format)]
    return [*lines, _key("precision", verdict.precision)]


def _artifact_name(name: str, verdict: Verdict) -> str:
    return "_".join([name, verdict.format, *([verdict.precision] if verdict.precision != "float32" else [])])
