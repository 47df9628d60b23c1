"""The command lines: ``cfy`` speaks HTTP to managers, ``cfy_manager`` to the node that it runs on."""
