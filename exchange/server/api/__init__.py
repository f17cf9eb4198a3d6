"""The REST interface: one module for each group of routes, a thin shell over what the rest of the server does."""

from typing import Final

PREFIX: Final = "/api/v1"
"""In front of every route that a client of this version asks for."""
