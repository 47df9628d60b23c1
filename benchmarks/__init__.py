"""Figures, printed and written to benchmarks/out; no tests."""
