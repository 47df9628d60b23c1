"""What a node writes down: on its own disk, in shared memory, and in Consul for the others."""
