"""The Python client: its mirror, its connection, and the whole of it against an exchange."""
