"""Quantizing a float .tflite file: litert-quantizer, and TensorFlow's quantizer.

Both take the same calibrated ranges, so a model is calibrated once however many files are made of it. TensorFlow's
makes whole int8 files only: asked for int16 activations, it writes files that do not load, or that answer nonsense.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.quantize.litert import litert
from mobile_export.quantize.litert_ranges import Content, Ranges
from mobile_export.quantize.recipes import Recipe
from mobile_export.session import import_tensorflow


def quantize(
    model: Content, recipe: Recipe, ranges: Ranges | None = None, weights: Mapping[str, Mapping[str, Any]] | None = None
) -> bytearray:
    """Apply `recipe` to a float model.

    Args:
        ranges: of activations, where the recipe quantizes them.
        weights: min and max of weights, by tensor name, where they are not their extremes.

    Raises:
        ConversionError: the quantizer refuses the model.
    """
    statistics = {n: {"min": np.array([low]), "max": np.array([high])} for n, (low, high) in (ranges or {}).items()}
    with litert() as tools, np.errstate(over="raise"):
        try:
            rules = tools.recipe_manager.RecipeManager()
            rules.load_quantization_recipe(recipe)
            read = tools.flatbuffer_utils.read_model_from_bytearray(model)  # its Quantizer would load it to run it, too
            parameters = tools.params_generator.ParamsGenerator(read).generate_quantization_parameters(
                rules, {**statistics, **(weights or {})}, enable_progress_bar=False
            )
            return bytearray(tools.model_modifier.ModelModifier(read).modify_model(parameters))
        except FloatingPointError as error:
            raise ConversionError("a weight is beyond the range of float16; choose another precision") from error
        except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            raise ConversionError(f"litert-quantizer refuses the model: {error}") from error


def quantize_with_tensorflow(model: bytes) -> bytes:
    """Make an int8 model, int8 edges included, of a float one whose tensors carry their ranges.

    TensorFlow's quantizer knows more operators, and takes twenty times as long.

    Raises:
        ConversionError: it refuses the model.
    """
    tensorflow = import_tensorflow()
    from tensorflow.lite.python import convert

    try:
        quantized: bytes = convert.mlir_quantize(
            model, input_data_type=tensorflow.int8, output_data_type=tensorflow.int8
        )
    except (convert.ConverterError, RuntimeError, ValueError) as error:
        raise ConversionError(f"TensorFlow's quantizer refuses the model: {str(error).splitlines()[0]}") from error
    return quantized
