"""TensorFlow's classic command-line tools: their flags and their results, without their defects."""
