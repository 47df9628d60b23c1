"""The command groups of ``cfy``, one file each; loaded only when they are asked for."""
