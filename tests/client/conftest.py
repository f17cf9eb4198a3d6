"""What the client's tests share."""

from tests.server.port.test_port import tls_files

__all__ = ["tls_files"]
