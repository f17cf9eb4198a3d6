"""What the client's tests share."""

from tests.server.test_port import tls_files

__all__ = ["tls_files"]
