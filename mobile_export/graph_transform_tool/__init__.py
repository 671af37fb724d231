"""TensorFlow's Graph Transform Tool: its transforms, by their names, parameters and results, without their defects.

`run.py` runs a list of them; `transforms/` has one file for each. The other modules are what several of them share.
"""
