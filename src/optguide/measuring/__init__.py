"""Paired, interleaved measurement of inference; knows nothing of Sphinx or of files."""
