"""A package, so that another one of this name cannot stand in front of ``tests.performance``."""
