"""Making a manager of a machine with systemd, and taking it off again; see its README."""
