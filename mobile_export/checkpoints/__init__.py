"""TensorFlow's checkpoints of both versions, read in place without TensorFlow."""
