"""What can go wrong for a client, one class for each thing that a program can do about it."""

from __future__ import annotations


class ClientError(Exception):
    """Everything that this package raises on purpose."""


class InvalidRequestError(ClientError, ValueError):
    """A value that cannot be sent: correct the call. Nothing was sent."""


class LoginError(ClientError):
    """The exchange refused the login for good: the client has stopped and does not try again.

    `code` is the notice's code; 1001 stands for a wrong user name or password.
    """

    def __init__(self, user: str, code: int, content: str) -> None:
        super().__init__(
            f"the exchange refused the login of {user!r} (code {code}): {content}. Correct the user name and password "
            "(or token) and make another client: this one has stopped"
        )
        self.code = code
        self.content = content


class NotConnectedError(ClientError, ConnectionError):
    """There is no connection, and none came in time. Nothing was sent; the client goes on trying."""


class ClosedError(ClientError):
    """The client was closed, by its program or by an error of its own: make another one."""


class NotInTimeError(ClientError, TimeoutError):
    """What was waited for has not happened yet; it may still happen."""


class OutcomeUnknownError(ClientError):
    """Nobody knows whether the exchange took the order: ask again with `send_again`, which is safe."""


class OrderGoneError(ClientError, LookupError):
    """The order was taken and has left the picture, so its end was not seen: the exchange's log has it."""


class TooManyOrdersError(ClientError):
    """So many orders wait for the exchange's answer that no further one is taken: wait for some of them."""


class MirrorError(ClientError):
    """A step that cannot be applied. The mirror keeps the picture from before it."""


class UnknownVersionError(MirrorError, LookupError):
    """A version whose picture the mirror does not keep, or never had."""


class WrongThreadError(ClientError):
    """A blocking call in the thread that does the client's work would wait for itself."""
