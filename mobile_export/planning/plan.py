"""What is to be built: targets read and checked, and everything hashed that could change an output."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mobile_export.apps.interface import RUNTIMES as APP_RUNTIMES
from mobile_export.data import content_hash, reader_of
from mobile_export.data_checks import DATA_CHECKS
from mobile_export.errors import TargetError
from mobile_export.formats import FORMATS, QUANTIZABLE, About, Request
from mobile_export.graph_transform_tool.run import IGNORE_ERRORS
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.incremental.digests import known_sha256
from mobile_export.kernels.runtimes import RUNTIMES, load_runtime
from mobile_export.labels import read_labels
from mobile_export.metrics import METRIC_PARAMETERS, make_metric
from mobile_export.planning import keys
from mobile_export.planning.devices import NO_OVERRIDES, Overrides, by_hand, device_names, device_problems
from mobile_export.quantize.scheme import Scheme
from mobile_export.sources import source_of
from mobile_export.target import AUTO, Artifact, Choices, Search, Target, UserCode, load_target
from mobile_export.transforms import TRANSFORMS
from mobile_export.user_code import Imports, imports_of


@dataclass(frozen=True)
class Plan:
    """A target whose files and tools are known.

    Attributes:
        path: the target file.
        form: name of the model's source.
        source, data: sha256 by file name and by role.
        versions: tools that shape the bytes.
        keys: by artifact name.
        search_keys: of artifacts whose precision is searched for: of whatever files of the search measure, however
            long it may last, and wherever what it finds is run.
        unknown: imports of the user's code that cannot be followed.
    """

    path: Path
    target: Target
    form: str
    source: dict[str, str]
    data: dict[str, str]
    versions: dict[str, str]
    keys: dict[str, str]
    search_keys: dict[str, str]
    unknown: tuple[str, ...] = ()

    @property
    def is_guesswork(self) -> bool:
        """Whether equal keys prove nothing: code of the user makes samples, or imports nobody knows what."""
        data = self.target.data
        return bool(self.unknown) or any(
            isinstance(each.source, UserCode) for each in (data.calibration, data.evaluation) if each
        )

    @property
    def version(self) -> str:
        """Of the model; one that was given none has the same whenever its files are the same."""
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.source.items()))
        return self.target.model.version or hashlib.sha256(listing.encode()).hexdigest()[:12]

    @cached_property
    def about(self) -> About:
        """What the files say of the model; read once, so that all of them say the same.

        Raises:
            ModelError: a file of labels cannot be read.
        """
        model = self.target.model
        labels = {output: read_labels(file) for output, file in model.labels.items()}
        return About(self.version, labels, model.preprocessing)


def choices() -> Choices:
    """The units that a target may name."""
    precisions = {
        name: {**unit.precisions, **({AUTO: ("float32",)} if name in QUANTIZABLE else {})}
        for name, unit in FORMATS.items()
    }
    ours: dict[str, Sequence[str]] = dict.fromkeys(("default", *TRANSFORMS), ())
    classic = {name: (*unit.parameters, IGNORE_ERRORS) for name, unit in GRAPH_TRANSFORMS.items()}
    files = {name: unit.files for name, unit in GRAPH_TRANSFORMS.items()}
    schemes = {name: {"layers": unit.layer_precisions, **unit.choices} for name, unit in QUANTIZABLE.items()}
    return Choices(
        formats=precisions,
        metrics=METRIC_PARAMETERS,
        data_checks=tuple(DATA_CHECKS),
        schemes=schemes,
        transforms=ours | classic,
        transform_files=files,
        runtimes=RUNTIMES,
        devices=device_names(),
        by_hand=by_hand(),
    )


def load_targets(
    paths: Sequence[Path], artifact: str | None = None, overrides: Overrides = NO_OVERRIDES
) -> list[tuple[Path, Target]]:
    """Read target files, and check what no single key can tell.

    Args:
        artifact: one that every target has to have.
        overrides: what holds instead of what the files say.

    Raises:
        TargetError: lists everything that is wrong in all of them.
    """
    known = choices()
    overrides.check(known)
    targets, wrong = [], []
    for path in paths:
        try:
            target = overrides.of(load_target(path, known))
        except TargetError as error:
            wrong.append(str(error))
            continue
        targets.append((path, target))
        wrong += [f"{path}: {problem}" for problem in _problems(target, artifact)]
    names = [target.name for _, target in targets]
    wrong += [
        f"more than one target is named {name!r}; rename one"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if wrong:
        raise TargetError("\n".join(wrong))
    return targets


def _problems(target: Target, artifact: str | None) -> list[str]:
    found = []
    if artifact is not None and artifact not in [a.name for a in target.artifacts]:
        found.append(f"has no artifact {artifact!r}; it has {', '.join(a.name for a in target.artifacts)}")
    scored = target.data.evaluation.output if target.data.evaluation else None
    outputs = [o.name for o in target.model.outputs]
    if scored is not None and outputs and scored not in outputs:
        found.append(f"data.evaluation.output: the model has no output {scored!r}; it has {', '.join(outputs)}")
    public = [i.name for i in target.model.inputs] + [o.name for o in target.model.outputs]
    for name in sorted({name for name in public if public.count(name) > 1}):
        found.append(f"model: more than one input or output is named {name!r}; public names are unique")
    for index, a in enumerate(target.artifacts):
        found += [f"artifacts[{index}].{problem}" for problem in _artifact_problems(target, a)]
    if target.app is not None and not any(a.format in APP_RUNTIMES for a in target.artifacts):
        formats = ", ".join(APP_RUNTIMES)
        found.append(f"app: its class runs {formats}, and there is no such artifact; add one, or leave [app] out")
    evaluation = target.data.evaluation
    if evaluation is not None and evaluation.metric.code is None:
        try:
            make_metric(evaluation.metric)
        except TargetError as error:
            found.append(f"data.evaluation.metric: {error}")
    return found


def _artifact_problems(target: Target, artifact: Artifact) -> list[str]:
    """What no single key of it can tell."""
    found = []
    calibrated = {p for p in scheme_of(artifact).precisions if p in FORMATS[artifact.format].calibrated}
    if calibrated and target.data.calibration is None:
        found.append(f"precision: {min(calibrated)} needs calibration data; add [data] calibration")
    if artifact.precision == AUTO:
        found += [
            f"{key}: precision = {AUTO!r} chooses it; leave it out"
            for key in ("layers", "ranges", "weights", "per_channel")
            if key in artifact.model_fields_set
        ]
        if target.data.evaluation is None:
            found += [
                f"limits.{key}: there is nothing to measure it with; add [data] evaluation"
                for key in ("accuracy", "accuracy_drop", "confidence")
                if getattr(artifact.limits, key) is not None
            ]
    else:
        found += [
            f"{key}: only precision = {AUTO!r} searches; leave it out"
            for key in ("compute", "search")
            if key in artifact.model_fields_set
        ]
    if artifact.format not in QUANTIZABLE and artifact.limits.latency_ratio is not None:
        found.append(f"limits.latency_ratio: {artifact.format} has float32 alone, and nothing to compare; leave it out")
    if artifact.format not in QUANTIZABLE and not artifact.per_channel:
        found.append(f"per_channel: {artifact.format} has no quantized weights; leave it out")
    if artifact.kernels is not None:
        try:
            load_runtime(artifact.kernels)
        except TargetError as error:
            found.append(f"kernels: {error}")
    return [*found, *device_problems(target, artifact)]


def plan(path: Path, target: Target) -> Plan:
    """Hash everything that could change an output; reads files, loads no framework.

    Raises:
        ModelError: the model or a data file is missing.
    """
    form, source = source_of(target.model)
    makers = [imports_of(c) for c in (target.model.builder, target.model.custom_objects) if c is not None]
    metric = target.data.evaluation.metric.code if target.data.evaluation else None
    judges = [imports_of(metric)] if metric is not None else []
    hashes = keys.source_hashes(source.files(target.model)) | _code_hashes("code", makers)
    data = _data_hashes(target) | _code_hashes("metric", judges) | keys.file_hashes(target)
    read = [reader_of(each) for each in (target.data.calibration, target.data.evaluation) if each is not None]
    shaping = [*source.tools, *(tool for reader in read for tool in reader.tools)]
    shaping += [package for imports in (*makers, *judges) for package in imports.packages]
    tools = {a.name: keys.versions([*shaping, *FORMATS[a.format].tools]) for a in target.artifacts}
    merged = {name: version for found in tools.values() for name, version in found.items()}
    by_name = {a.name: keys.artifact_key(target, a, hashes, data, tools[a.name]) for a in target.artifacts}
    anywhere = {"search": Search(), "runs_on": ()}
    searches = {
        a.name: keys.artifact_key(target, a.model_copy(update=anywhere), hashes, data, tools[a.name])
        for a in target.artifacts
        if a.precision == AUTO
    }
    unknown = tuple(name for imports in (*makers, *judges) for name in imports.unknown)
    return Plan(path, target, form, hashes, data, dict(sorted(merged.items())), by_name, searches, unknown)


def _data_hashes(target: Target) -> dict[str, str]:
    """Hash of what each role's data holds.

    Raises:
        ModelError: the data cannot be read.
    """
    roles = {"calibration": target.data.calibration, "evaluation": target.data.evaluation}
    return {role: content_hash(source) for role, source in roles.items() if source is not None}


def _code_hashes(role: str, imports: Sequence[Imports]) -> dict[str, str]:
    """sha256 of each file of the user's code, by its role and its path below where it is imported from."""
    return {f"{role} {name}": known_sha256(file) for each in imports for name, file in each.files.items()}


def file_of(target: Target, artifact: Artifact) -> str:
    """Where an artifact lies in the published folder; names are unique across targets, since Xcode flattens folders."""
    return f"assets/models/{target.name}/{artifact.name}{FORMATS[artifact.format].suffix}"


def scheme_of(artifact: Artifact) -> Scheme:
    """How the target wants the artifact's numbers stored and computed."""
    return Scheme.mixed(
        artifact.precision,
        artifact.layers,
        per_channel=artifact.per_channel,
        ranges=artifact.ranges or "minmax",
        weights=artifact.weights or "minmax",
    )


def request_for(artifact: Artifact, path: Path, about: About | None = None, scheme: Scheme | None = None) -> Request:
    """What the artifact's format is asked to write to `path`.

    Args:
        about: as `Plan` has it; default: the file says nothing of the model.
        scheme: what a search tries or has found; default: what the target says.
    """
    numbers = scheme or scheme_of(artifact)
    auto = artifact.precision == AUTO
    allowed = ("float32",) if auto else FORMATS[artifact.format].precisions[artifact.precision]
    allow_float = auto if artifact.allow_float_operators is None else artifact.allow_float_operators
    return Request(
        artifact.name,
        path,
        numbers.precision,
        artifact.interface or allowed[0],
        allow_float_operators=allow_float,
        allow_select_tf_ops=artifact.allow_select_tf_ops,
        about=about or About(),
        scheme=numbers,
    )
