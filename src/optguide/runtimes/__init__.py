"""Runtimes that execute a model, also under foreign interpreters: NumPy and the standard library only."""
