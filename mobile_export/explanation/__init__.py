"""Where a quantized file errs: each of its layers against the same layer of the float file, and why."""
