"""Conversations with clients, without sockets: what they say, what they are told, and in which words."""
