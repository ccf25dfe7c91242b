"""Measuring: metrics, classical peers and paired statistics."""
