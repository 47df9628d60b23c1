"""The command groups of ``cfy_manager``, and the node's own task queue, which they speak to."""
