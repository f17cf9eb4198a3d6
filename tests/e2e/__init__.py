"""Whole exchanges under real clients: real sockets, and real processes where one has to die."""
