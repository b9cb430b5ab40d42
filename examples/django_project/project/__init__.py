"""The project: settings, addresses, and what servers load."""
