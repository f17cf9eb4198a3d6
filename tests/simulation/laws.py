"""What is checked of every frame, of every step, and whenever everything has come to rest."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Final

import orjson

from eventstore.memory import MemoryDisk
from exchange.gateway.conversation import INBOX_MAX
from exchange.gateway.notices import Code
from exchange.gateway.steps import NOTICES_MAX
from exchange.server import recovery
from projections.merge_patch import same_json
from tests.simulation.broken import LawBrokenError, require
from tests.simulation.client import Client, Step
from tests.simulation.dialects import check_identity
from tests.simulation.life import WAITING_MAX, Life
from tests.simulation.market import BY_NAME, LISTED, TRADERS
from tests.simulation.network import Link, Sent
from tests.simulation.oracle import Oracle, Picture

REFUSALS: Final = range(2000, 3000)
"""Codes of refusals that stand in the log."""


def check_frame(oracle: Oracle, link: Link, text: bytes) -> None:
    """A frame is about to leave the exchange."""
    client = link.client
    frame = orjson.loads(text)
    if "version" in frame:
        version = frame["version"]
        require(version <= oracle.log_seq, 1, f"{client} is told version {version}, {oracle.log_seq} is durable")
        require(version in oracle.views, 5, f"{client} is told version {version}, where no entry ends")
    for trader in TRADERS:
        for canary in trader.canaries if trader is not client.trader else ():
            told = canary in text and canary not in client.quoted
            require(not told, 9, f"{client} is told {canary!r}: {text!r}")
    if frame["aid"] == "rtn_data":
        link.spoken.check_order(frame["data"])
        _check_notices(link, frame["data"])


def _check_notices(link: Link, patches: list[Picture]) -> None:
    """Notices are given no more often than they are owed: a refusal only once its event is durable."""
    notices = [notice for patch in patches for notice in (patch.get("notify") or {}).items()]
    require(len(notices) <= NOTICES_MAX, 10, f"{len(notices)} notices in one step")
    result = next((notice for notice_id, notice in notices if notice_id == "auth_result"), None)
    answers_address, link.answer_waits = link.answer_waits and result is not None, link.answer_waits and result is None
    if result is None or (answers_address and result["code"] == Code.LOGIN_OK):
        require(link.writable, 10, f"{link.client} is sent a step while it does not read")
        link.peeks -= 1
        require(link.peeks >= 0, 10, f"{link.client} is sent a step that it did not ask for")
    for notice_id, notice in notices:
        if notice_id != "auth_result":
            link.given[Code(notice["code"])] += 1
    for code, count in link.given.items():
        owed = link.owed[code] + link.allowed[code]
        law = 1 if code in REFUSALS else 5
        require(count <= owed, law, f"{link.client} got {count} notices {code}, owed are {owed}")


def check_step(oracle: Oracle, client: Client, sent: Sent, step: Step, version_before: int) -> None:
    """A client has applied a frame: its mirror is the view at the frame's version, as worded from the log alone."""
    if step.version is None:
        return
    goes_on = step.version >= version_before or step.full
    require(goes_on, 5, f"{client} went back from {version_before} to {step.version}")
    check_mirror(client, oracle.picture(client, step.version, sent.subscriptions), step.version)
    check_identity(client.spoken.account(client.branch, client.trader.name))
    echo = client.mirror.get("ins_list", "")
    require(echo == ",".join(sent.subscriptions), 5, f"{client} has {sent.subscriptions} and is told {echo}")
    _check_fills(client)


def _check_fills(client: Client) -> None:
    """No order is seen without its trades, whatever the step."""
    filled = Counter(dict.fromkeys(client.branch["orders"], 0))
    for trade in client.branch["trades"].values():
        filled[trade["order_id"]] += trade["volume"]
    for order_id, order in client.branch["orders"].items():
        lots = 0 if order["status"] == "REJECTED" else client.spoken.filled(order)
        traded = filled.pop(order_id)
        require(lots == traded, 5, f"{client} sees {lots} lots of {order_id} filled, and trades of {traded}")
    require(not filled, 5, f"{client} sees trades of {list(filled)}, and not these orders")


def check_mirror(client: Client, picture: Picture, version: int) -> None:
    """The mirror equals the picture, as JSON text. A branch of quotes may be empty or missing: no view has one."""
    mirror = {
        key: value for key, value in client.mirror.items() if key != "ins_list" and (key, value) != ("quotes", {})
    }
    if not same_json(mirror, picture):
        raise LawBrokenError(5, f"the mirror of {client} at {version} is not the view: {_difference(mirror, picture)}")


def _difference(mirror: object, picture: object, path: str = "") -> str:
    """Where two documents differ."""
    if not (isinstance(mirror, dict) and isinstance(picture, dict)):
        return f"{path}: {mirror!r}, not {picture!r}; "
    absent = "nothing"
    return "".join(
        _difference(mirror.get(key, absent), picture.get(key, absent), f"{path}/{key}")
        for key in dict.fromkeys((*mirror, *picture))
        if not same_json(mirror.get(key, absent), picture.get(key, absent))
    )


def check_bounds(life: Life) -> None:
    """Nothing that clients can fill is larger than its bound, and nobody who left is remembered.

    Reads what is private: how much is kept shows nowhere else.
    """
    require(life.sequencer.waiting <= WAITING_MAX, 10, f"{life.sequencer.waiting} entries wait")
    for conversation in life.links:
        require(len(conversation._inbox) <= INBOX_MAX, 10, f"{len(conversation._inbox)} texts in an inbox")
        kept = len(conversation._steps._notices)
        require(kept <= NOTICES_MAX, 10, f"{kept} notices kept")
    publisher = life.publisher
    groups = [*publisher._members.values(), *publisher._subscribers.values(), publisher._due]
    lines = [line._due for line in (publisher._peeks, publisher._marks, publisher._logins)]
    for conversation in chain(*groups, *lines):
        require(conversation in life.links, 10, f"conversation {conversation.number} left and is remembered")


def check_at_rest(oracle: Oracle, life: Life, disk: MemoryDisk, clients: list[Client]) -> None:
    """Everything that was sent has arrived, everything that was decided is durable and told."""
    check_bounds(life)
    log_seq = oracle.log_seq
    heads = (life.sequencer.durable_log_seq, disk.commits[-1].last_log_seq)
    require(heads == (log_seq, log_seq), 2, f"sequencer and disk end at {heads}, the log at {log_seq}")
    live = life.state_hash.value()
    require(live == oracle.state_hash.value(), 4, f"live and re-decided states differ at {log_seq}")
    again = recovery.recover(life.log.store)
    require(live == again.state_hash.value(), 4, f"live and replayed states differ at {log_seq}")
    require(again.log_seq == log_seq, 2, f"a recovery reaches {again.log_seq} of {log_seq}")
    for (spoken, name), picture in oracle.views[log_seq].items():
        worded = oracle.word(again.projections, BY_NAME[name], spoken)
        require(same_json(worded, picture), 4, f"the replayed {spoken} view of {name} is not the view at {log_seq}")
    for client in clients:
        _check_client_at_rest(oracle, client)


def _check_client_at_rest(oracle: Oracle, client: Client) -> None:
    """The mirror shows the present, and everything that was said got its answer."""
    link = client.link
    if link is None or link.conversation is None or not client.logged_in:
        raise LawBrokenError(5, f"{client} is not logged in: {link and link.closed}")
    require(not link.must_close, 10, f"{client} has broken the protocol and is still there")
    # A contract that was listed after the subscription is not part of it; of the others all are.
    known = (*(terms.instrument_id for terms in LISTED), *link.conversation.subscriptions)
    wanted = tuple(name for name in dict.fromkeys(client.wanted or ()) if name in known)
    check_mirror(client, oracle.picture(client, oracle.log_seq, wanted), oracle.log_seq)
    for order_id in (*client.orders, *client.acknowledged):
        count = oracle.first_orders[client.trader.account_id, order_id]
        require(count == 1, 7, f"order {order_id} of {client} is {count} times in the log")
    if not link.flooded:
        missing = link.owed - link.given
        require(not missing, 5, f"{client} was not given the notices {dict(missing)}")


def recognize(seen: Counter[str], client: Client, step: Step, quotes_before: Picture) -> None:
    """Count the kinds of steps that clients get."""
    seen["step"] += 1
    seen["full step"] += step.full
    seen["full step on a running connection"] += step.full and not step.answers_login
    seen["peek timeout"] += not step.patches
    parts = {part for patch in step.patches for part in client.spoken.branch(patch, client.trader.name)}
    seen["step for marks alone"] += "orders" not in parts and "positions" in parts
    seen[f"step in {client.spoken}"] += 1
    quotes = client.mirror.get("quotes", {})
    for instrument_id, quote in quotes_before.items():
        if instrument_id not in quotes:
            client.last_quotes[instrument_id] = dict(quote)
    for instrument_id, quote in quotes.items():
        last = client.last_quotes.pop(instrument_id, None) if instrument_id not in quotes_before else None
        seen["level gone while not subscribed"] += last is not None and any(name not in quote for name in last)
