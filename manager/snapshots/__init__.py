"""Manager snapshots: the manager's data in one file, never the cluster. See ``docs/adr/0011``.

A snapshot is made, and restored, by a process of its own (``python -m manager.snapshots``) that the REST
service starts and that ends with it. What it does is an execution, whose lines say how far it is. Read next:
``archive`` (the form of the file), ``creating``, ``restoring``, and ``labour`` (who works on what).
"""
