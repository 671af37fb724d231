"""The two generations of Keras, set up the same way whatever the user's own settings are."""

import importlib
from typing import Any, Literal

from mobile_export.errors import MissingToolError
from mobile_export.session import import_tensorflow

Generation = Literal["keras", "tf_keras"]
"""Keras 3, and the Keras of TensorFlow up to 2.15."""


def import_keras(generation: Generation) -> Any:
    """The module, on TensorFlow, with Keras's own defaults. For workers: settings stay.

    Raises:
        MissingToolError: it is not installed.
    """
    import_tensorflow()
    try:
        keras = importlib.import_module(generation)
    except ImportError as error:
        raise MissingToolError(
            f'{generation} cannot be imported ({error}); run: pip install "mobile-export[convert]"'
        ) from error
    keras.backend.set_floatx("float32")
    keras.backend.set_epsilon(1e-7)
    keras.backend.set_image_data_format("channels_last")
    return keras
