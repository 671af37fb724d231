"""The stages of a build, as they run in workers: each reads what the one before left in the work folder.

Where the target declares preprocessing, samples are kept as they came, and are preprocessed batch by batch on their way
into what does not do it itself.

prepare    source → forward graph → optimized graph, samples
refer      what the forward graph answers to the samples, and whether the data is right; draws what devices run
convert    the float model that files of one format are made of; calibrate, its value ranges; quantize, one file
write      the files of one format, at once
measure    one file: what it answers, and what the checks say to that
on_device  the same of a device
drawing    the samples that are run on devices
work       what lies where in the work folder
scoring    what a metric keeps of the evaluation samples
"""

from mobile_export.pipeline.drawing import is_run_on_devices
from mobile_export.pipeline.measure import Measured, measure, measure_latency
from mobile_export.pipeline.on_device import Ran, run_on
from mobile_export.pipeline.prepare import Prepared, prepare
from mobile_export.pipeline.refer import refer
from mobile_export.pipeline.work import MEASURED_WITH, OPTIMIZED
from mobile_export.pipeline.write import calibrate, convert, layers, quantize, write

__all__ = [
    "MEASURED_WITH",
    "OPTIMIZED",
    "Measured",
    "Prepared",
    "Ran",
    "calibrate",
    "convert",
    "is_run_on_devices",
    "layers",
    "measure",
    "measure_latency",
    "prepare",
    "quantize",
    "refer",
    "run_on",
    "write",
]
