"""Whole clusters on one machine: for the demo, for the cluster tests and for the benchmarks."""
