"""The proof: a cluster of separate hosts, everything that can happen to it, and whether it kept its promises.

``make chaos`` runs it; README.md tells how to read it.
"""
