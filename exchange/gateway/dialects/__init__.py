"""How views and quotes are worded for each kind of client."""
