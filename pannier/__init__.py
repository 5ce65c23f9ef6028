"""What a user meets: the command line, the node that wires the rooms, the daemon."""
