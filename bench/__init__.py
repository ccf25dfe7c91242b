"""Measures the running studio and the models: `python -m bench`."""
