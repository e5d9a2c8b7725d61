"""Measurement: variants, worker processes, sessions and their results."""
