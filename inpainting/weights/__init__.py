"""Weights that this project trained, and the only way to read and write them."""
