"""How well the measuring measures: ``nox -s bench``. Prints tables, asserts nothing."""
