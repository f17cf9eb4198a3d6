"""The port: HTTP and WebSocket connections, their limits and deadlines; it knows nothing of messages."""
