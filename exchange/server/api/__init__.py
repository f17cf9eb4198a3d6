"""The REST interface: one module for each group of routes, a thin shell over what the rest of the server does."""
