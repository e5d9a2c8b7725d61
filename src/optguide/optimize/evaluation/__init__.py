"""The same model in other precisions: made, and judged against the original."""
