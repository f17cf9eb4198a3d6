"""The order book and the rules by which orders meet."""
