"""The model in other precisions, made by NNCF."""
