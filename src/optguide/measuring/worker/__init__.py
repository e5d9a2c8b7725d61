"""The child-process side of a measurement.

Everything here runs in a fresh process, possibly under another interpreter with an older OpenVINO or
with TensorFlow, so it imports the standard library and NumPy only; a runner imports its runtime when
it loads, which is how the import can be timed.
"""
