"""Making and unmaking a cluster: start, join, remove, and preparing a machine for it."""
