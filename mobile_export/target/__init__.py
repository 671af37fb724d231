"""The target file: what to build from which model, and what each file must keep to.

Paths are relative to the target file, and absolute after loading.
"""

from mobile_export.target.choices import Choices
from mobile_export.target.reading import json_schema, load_target
from mobile_export.target.tables import (
    AUTO,
    RUN_BY_KERNELS,
    App,
    Artifact,
    Calibration,
    Constant,
    Data,
    DataSource,
    DeviceSettings,
    Evaluation,
    Images,
    Input,
    Limits,
    Model,
    Output,
    Preprocessing,
    Search,
    Target,
    Transforms,
)
from mobile_export.target.values import MetricChoice, PassList, UserCode

__all__ = [
    "AUTO",
    "RUN_BY_KERNELS",
    "App",
    "Artifact",
    "Calibration",
    "Choices",
    "Constant",
    "Data",
    "DataSource",
    "DeviceSettings",
    "Evaluation",
    "Images",
    "Input",
    "Limits",
    "MetricChoice",
    "Model",
    "Output",
    "PassList",
    "Preprocessing",
    "Search",
    "Target",
    "Transforms",
    "UserCode",
    "json_schema",
    "load_target",
]
