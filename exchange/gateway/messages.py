"""What a client may say: one text becomes one typed message, or a ProtocolError that tells what was wrong with it.

Shapes and closed choices are checked here, values that a rule of the market judges (tick, band, lots) are not: those
become commands and are refused in the log. Nothing is defaulted that was misspelt.
"""

from __future__ import annotations

import re
from typing import Final, Literal, cast

import msgspec
from msgspec import Struct

from exchange.domain.words import Direction, PositionEffect, TimeCondition, VolumeCondition

DEPTH_MAX: Final = 16
"""How deeply objects and arrays of one message may be nested; every message of the protocol is flat."""
NAME_CHARACTERS_MAX: Final = 128
"""The longest user name, order id or instrument id."""
DETAIL_CHARACTERS_MAX: Final = 200
"""The longest description of what is wrong with a field."""


class ReqLogin(Struct, frozen=True, tag_field="aid", tag="req_login"):
    """Who speaks on this connection; with `log_id` and `version` also where its mirror stands."""

    user_name: str
    password: str
    bid: str = ""
    log_id: str | None = None
    version: int | None = None

    def __repr__(self) -> str:
        return f"ReqLogin(user_name={self.user_name!r}, password=***)"


class PeekMessage(Struct, frozen=True, tag_field="aid", tag="peek_message"):
    """Asks for the next step."""


class SubscribeQuote(Struct, frozen=True, tag_field="aid", tag="subscribe_quote"):
    """Replaces the instruments whose quotes are sent; names separated by commas."""

    ins_list: str


class InsertOrderMessage(Struct, frozen=True, kw_only=True, tag_field="aid", tag="insert_order"):
    """Sends an order."""

    instrument_id: str
    direction: Direction
    offset: PositionEffect
    volume: int
    price_type: Literal["LIMIT", "MARKET", "ANY", "BEST", "FIVELEVEL"]
    exchange_id: str = ""
    user_id: str | None = None
    account_id: str | None = None
    order_id: str | None = None
    limit_price: int | float | None = None
    time_condition: TimeCondition | None = None
    volume_condition: VolumeCondition = VolumeCondition.ANY
    min_volume: int | None = None


class CancelOrderMessage(Struct, frozen=True, kw_only=True, tag_field="aid", tag="cancel_order"):
    """Takes an order out of the market."""

    order_id: str
    user_id: str | None = None
    account_id: str | None = None


class SetChart(Struct, frozen=True, tag_field="aid", tag="set_chart"):
    """Asks for a window of bars."""

    chart_id: str = ""


class ConfirmSettlement(Struct, frozen=True, tag_field="aid", tag="confirm_settlement"):
    """Confirms the last settlement."""

    user_id: str | None = None


class ChangePassword(Struct, frozen=True, tag_field="aid", tag="change_password"):
    """Asks for a new password."""

    old_password: str
    new_password: str
    user_id: str | None = None

    def __repr__(self) -> str:
        return "ChangePassword(***)"


class Ping(Struct, frozen=True, tag_field="aid", tag="ping"):
    """Asks for a pong."""


Message = (
    ReqLogin
    | PeekMessage
    | SubscribeQuote
    | InsertOrderMessage
    | CancelOrderMessage
    | SetChart
    | ConfirmSettlement
    | ChangePassword
    | Ping
)


class ProtocolError(Exception):
    """A message that cannot be understood; the connection lives on and is told."""


class MalformedMessageError(ProtocolError):
    """An object that does not even say what it is."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnknownAidError(ProtocolError):
    """A message of a kind that this exchange does not know."""

    def __init__(self, aid: str) -> None:
        super().__init__(aid)
        self.aid = aid


class FieldError(ProtocolError):
    """A known message with a field that is missing, misspelt, or of the wrong type or size."""

    def __init__(self, aid: str, detail: str, order_id: str | None = None) -> None:
        super().__init__(f"{aid}: {detail}")
        self.aid = aid
        self.detail = detail
        self.order_id = order_id
        """The order that the message spoke of, as far as it could be read."""


class FrameError(Exception):
    """A frame that is no message at all: the connection ends with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def aid_of(message: Message) -> str:
    """What a message is called on the wire."""
    return str(message.__struct_config__.tag)


_TEXTS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""JSON's texts. One without an end goes on to the end, and nothing is ever read twice."""
_ROUND: Final = bytes.maketrans(b"{[]}", b"(())")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{[]}"))
_PEEKS: Final = (b'{"aid":"peek_message"}', b'{"aid": "peek_message"}')
_PEEK: Final = PeekMessage()
_decoder = msgspec.json.Decoder(Message)
_order_decoder = msgspec.json.Decoder(InsertOrderMessage)
_any_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(text: bytes) -> Message:
    """One frame's text as a message.

    Raises FrameError where it is no JSON object or nested too deeply, and the ProtocolErrors where it is one that
    cannot be understood.
    """
    if text in _PEEKS:
        return _PEEK
    _check_depth(text)
    try:
        return cast(Message, _decoder.decode(text))
    except msgspec.ValidationError as error:
        raise _what_is_wrong(text, error) from None
    except msgspec.DecodeError as error:
        raise FrameError(1007, f"not JSON: {error}"[:120]) from None


def parse_insert_order(text: bytes) -> InsertOrderMessage:
    """An `insert_order` that need not name its `aid`, since it came where nothing else can. Raises FrameError and
    FieldError."""
    _check_depth(text)
    try:
        return _order_decoder.decode(text)
    except UnicodeDecodeError as error:
        # Frames are known to be UTF-8 when they come here; bodies of requests are not.
        raise FrameError(1007, f"not UTF-8: {error.reason}") from None
    except msgspec.ValidationError as error:
        raise FieldError("insert_order", str(error)[:DETAIL_CHARACTERS_MAX]) from None
    except msgspec.DecodeError as error:
        raise FrameError(1007, f"not JSON: {error}"[:120]) from None


def _what_is_wrong(text: bytes, error: msgspec.ValidationError) -> Exception:
    """A typed decoder's complaint as one of our errors."""
    try:
        fields = _any_decoder.decode(text)
        aid = msgspec.json.decode(fields["aid"], type=str) if "aid" in fields else None
    except msgspec.ValidationError:
        if not text.lstrip().startswith(b"{"):
            return FrameError(1003, "not a JSON object")
        return MalformedMessageError("the field `aid` must be a text")
    except msgspec.DecodeError as damage:
        return FrameError(1007, f"not JSON: {damage}"[:120])
    if aid is None:
        return MalformedMessageError("the field `aid` is missing")
    known = {struct.__struct_config__.tag for struct in Message.__args__}
    # The complaint quotes what was misspelt, which may be as long as the frame.
    detail = str(error)[:DETAIL_CHARACTERS_MAX]
    return FieldError(aid, detail, _order_id_in(fields)) if aid in known else UnknownAidError(aid[:NAME_CHARACTERS_MAX])


def _order_id_in(fields: dict[str, msgspec.Raw]) -> str | None:
    """The order id of a message that is wrong elsewhere; None where this is wrong too."""
    try:
        return msgspec.json.decode(fields["order_id"], type=str)
    except (KeyError, msgspec.ValidationError):
        return None


def _check_depth(text: bytes) -> None:
    if text.count(b"{") + text.count(b"[") > DEPTH_MAX and _is_too_deep(text):
        raise FrameError(1008, f"nested deeper than {DEPTH_MAX}")


def _is_too_deep(text: bytes) -> bool:
    """Whether objects and arrays are nested deeper than DEPTH_MAX; brackets inside texts do not count.

    Takes time in proportion to the text, and no step of it is Python's own: many may send many long ones.
    """
    brackets = _TEXTS.sub(b"", text).translate(_ROUND, _NO_BRACKETS)
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"()", b"")
    # What is left was deeper, or was never closed.
    return b"()" in brackets or brackets.count(b"(") > DEPTH_MAX
