"""Keras models in one file, and weights that Keras saved without their model."""

import json
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobile_export.errors import ModelError
from mobile_export.network.trained import Trained
from mobile_export.sources.builder import Blank, build, listed
from mobile_export.sources.concrete import brief, is_keras, trace
from mobile_export.sources.keras_code import refuse_code
from mobile_export.sources.keras_file import CONFIG, KerasFile, kind, open_keras
from mobile_export.sources.keras_import import Generation, import_keras
from mobile_export.sources.keras_layers import check_order
from mobile_export.target import Model, UserCode
from mobile_export.user_code import load_code

_NOT_LOADED = "Skipping nested container"
"""How Keras warns that weights of the model are not in the file."""


class Keras:
    """A Keras file (`.keras`, `.h5`, `.hdf5`), or weights that Keras saved (`.weights.h5`)."""

    keys = ("trusted", "custom_objects", "builder")
    tools = ("h5py", "keras", "tf-keras")

    def detect(self, path: Path) -> str | None:
        """By content, whatever the file's name is."""
        return kind(path)

    def files(self, model: Model) -> list[Path]:
        """The file itself."""
        return [model.source]

    def read(self, model: Model) -> Trained:
        """The model at inference, traced from what Keras loads; code in the file is refused unless it is trusted."""
        with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
            file = open_keras(model.source, Path(folder))
            notes: list[str] = []
            if model.builder is not None:
                loaded = _with_weights(file, model.builder)
            elif file.config is None:
                raise ModelError(
                    f'{model.source}: holds weights and no model; add builder = "module:function" to [model], a '
                    "function without arguments that returns the model"
                )
            else:
                loaded, notes = _load(file, file.config, model)
            return trace(loaded, str(model.source), notes)


def _load(file: KerasFile, config: dict[str, Any], model: Model) -> tuple[Any, list[str]]:
    """The model, from the generation of Keras that can load it, and what to say of that."""
    import_keras("keras")  # set up before the user's module imports it
    custom = _custom_objects(model)
    if not model.trusted:
        refuse_code(config, _custom_names(custom), str(model.source))
    try:
        return _loaded("keras", file, config, custom, model.trusted), []
    except Exception as error:  # noqa: BLE001  Keras raises what it likes; the other generation comes next
        refusal = error
    try:
        loaded = _loaded("tf_keras", file, config, custom, model.trusted)
    except Exception as error:
        raise ModelError(
            f"{model.source}: neither Keras 3 ({brief(refusal)}) nor tf_keras ({brief(error)}) loads it; save it "
            "again, or name a builder that makes the model"
        ) from error
    return loaded, [f"loaded with tf_keras, since Keras 3 refuses it: {brief(refusal)}"]


def _custom_objects(model: Model) -> Mapping[str, Any]:
    if model.custom_objects is None:
        return {}
    custom = load_code(model.custom_objects, "model.custom_objects")
    if not isinstance(custom, dict) or not all(isinstance(name, str) for name in custom):
        code = model.custom_objects
        raise ModelError(
            f"model.custom_objects: {code.module}:{code.name} is a {type(custom).__name__}; make it a dict from class "
            "names to classes"
        )
    return custom


def _custom_names(custom: Mapping[str, Any]) -> set[str]:
    """Names under which a config may ask for the target's own objects, those that their module registers included."""
    if not custom:
        return set()
    used = [sys.modules[generation] for generation in ("keras", "tf_keras") if generation in sys.modules]
    return {*custom, *(name for keras in used for name in keras.saving.get_custom_objects())}


def _loaded(
    generation: Generation, file: KerasFile, config: dict[str, Any], custom: Mapping[str, Any], trusted: bool
) -> Any:
    """The model, without what it was trained with."""
    keras = import_keras(generation)
    if generation == "tf_keras":
        check_order(config)
    path = file.path
    if path.is_dir():
        (path / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        path = path if generation == "keras" else _zipped(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = keras.models.load_model(str(path), custom_objects=dict(custom), compile=False, safe_mode=not trusted)
    left = [str(warning.message) for warning in told if str(warning.message).startswith(_NOT_LOADED)]
    if left:
        raise ValueError(left[0])
    if not is_keras(model):
        raise TypeError(f"its config describes a {type(model).__name__}, and no model")
    return model


def _zipped(folder: Path) -> Path:
    """The folder's contents as the archive that they came from."""
    contents = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    archive = folder / "model.keras"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in contents:
            packed.write(path, path.relative_to(folder).as_posix())
    return archive


def _with_weights(file: KerasFile, code: UserCode) -> Any:
    """The builder's model with the weights of the file."""
    model, made = build(code), f"the model that {code.module}:{code.name} makes"
    if not is_keras(model):
        raise ModelError(f"{file.source}: takes a Keras model, and {made} is a {type(model).__name__}")
    blank = Blank(model)
    blank.mark()
    try:
        model.load_weights(str(file.weights))
    except Exception as error:  # Keras raises what it likes
        raise ModelError(f"{file.source}: its weights do not fit {made}: {brief(error)}") from error
    left = blank.left()
    if left:
        raise ModelError(f"{file.source}: has no weights for {listed(left)} of {made}")
    return model
