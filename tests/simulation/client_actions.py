"""What clients do: come and go, read and stop reading, trade, repeat themselves, talk nonsense."""

from __future__ import annotations

import orjson

from exchange.gateway.notices import Code
from tests.simulation import talk
from tests.simulation.client import Client
from tests.simulation.network import PEEK, Link, Said
from tests.simulation.world import World


def _any(world: World, *, logged_in: bool = False) -> Client | None:
    """A client with a connection, if there is one."""
    found = [c for c in world.clients if c.link is not None and (c.logged_in or not logged_in)]
    return world.random.choice(found) if found else None


# Coming and going.


def come(world: World) -> None:
    away = [client for client in world.clients if client.link is None]
    if not away:
        return
    client = world.random.choice(away)
    if world.random.random() < 0.25:
        world.connect_by_address(client, right=world.random.random() < 0.9)
        world.peek(client)
        return
    world.connect(client)
    while world.random.random() < 0.35:
        _talk_too_early(world, client)
    if world.random.random() < 0.95:
        log_in(world, client)


def _talk_too_early(world: World, client: Client) -> None:
    order = Said(orjson.dumps(talk.order(client, world.random)), Code.NOT_LOGGED_IN)
    subscription = Said(b'{"aid":"subscribe_quote","ins_list":"SIM.a1"}', Code.NOT_LOGGED_IN)
    said = world.random.choice((order, subscription, PEEK, PEEK, *talk.NONSENSE))
    if said is PEEK:
        world.peek(client)
    else:
        world.say(client, said)


def log_in(world: World, client: Client) -> None:
    if world.random.random() < 0.1:
        world.seen["wrong secret"] += 1
        world.log_in(client, secret="wrong")
    assert client.link is not None
    world.choose_mirror(client, client.link.spoken)
    world.log_in(client)
    while world.random.random() < 0.4:
        # Not waiting for the answer: these texts wait while the password is being checked.
        world.say(client, world.random.choice((talk.PING, *talk.NONSENSE)))
    while world.random.random() < 0.2:
        world.say(client, _new_order(world, client)._replace(perhaps=Code.NOT_LOGGED_IN))
        if world.random.random() < 0.1:
            world.say(client, world.random.choice(talk.OUTRAGE))
    if world.random.random() < 0.04:
        _flood(world, client)


def log_in_again(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is not None:
        said = talk.login(client, world.random, secret=client.trader.secret)
        world.say(client, said._replace(notice=Code.ALREADY_LOGGED_IN))


def drop(world: World) -> None:
    client = _any(world)
    if client is not None:
        world.drop(client)


# Frames.


def _links(world: World) -> list[Link]:
    return [client.link for client in world.clients if client.link is not None]


def hear(world: World) -> None:
    links = [link for link in (*_links(world), *world.ghosts) if link.to_server]
    if links:
        link = world.random.choice(links)
        for _ in range(world.random.randint(1, len(link.to_server))):
            world.hear(link)


def read(world: World) -> None:
    links = [link for link in _links(world) if link.writable or link.closed is not None]
    if links:
        link = world.random.choice(links)
        for _ in range(world.random.randint(1, len(link.to_client) + 1)):
            world.read(link)


def peek(world: World) -> None:
    client = _any(world)
    if client is None:
        return
    world.peek(client)
    if world.random.random() < 0.1:
        world.say(client, PEEK)  # a second one, which changes nothing


def stop_reading(world: World) -> None:
    client = _any(world)
    if client is not None:
        world.stop_reading(client)


def read_again(world: World) -> None:
    slow = [link for link in _links(world) if link.is_open and not link.writable]
    if slow:
        world.read_again(world.random.choice(slow))


# Trading.


def trade(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is not None:
        world.say(client, _new_order(world, client))


def _new_order(world: World, client: Client) -> Said:
    message = talk.order(client, world.random)
    if world.random.random() < 0.95:
        order_id = f"{client.trader.order_prefix}{client.number}.{len(client.orders)}"
        message["order_id"] = order_id
        client.orders[order_id] = orjson.dumps(message)
    if world.random.random() < 0.3:
        message["user_id"] = world.random.choice((client.trader.name, client.trader.account_id))
    return Said(orjson.dumps(message))


def repeat(world: World) -> None:
    """An order comes again: as it was, or under its old id with another content."""
    client = _any(world, logged_in=True)
    if client is None or not client.orders:
        return
    text = client.orders[world.random.choice(list(client.orders))]
    if world.random.random() < 0.3:
        message = orjson.loads(text)
        text = orjson.dumps(message | {"volume": message["volume"] + 1})
        world.seen["repeated with another content"] += 1
    else:
        world.seen["repeated"] += 1
    world.say(client, Said(text))


def resend(world: World) -> None:
    """Everything that was not confirmed is sent again under the same ids."""
    client = _any(world, logged_in=True)
    if client is not None:
        for order_id in client.unconfirmed[-5:]:
            world.seen["sent again"] += 1
            world.say(client, Said(client.orders[order_id]))


def cancel(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is None:
        return
    orders = client.branch.get("orders", {})
    alive = [order_id for order_id, order in orders.items() if order["status"] in ("ALIVE", "PARTIALLY_FILLED")]
    order_id = world.random.choice(alive if alive and world.random.random() < 0.8 else [*orders, "no such order"])
    world.say(client, Said(orjson.dumps({"aid": "cancel_order", "order_id": order_id})))


def subscribe(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is not None:
        world.subscribe(client)


# Nonsense.


def talk_nonsense(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is None:
        return
    password = Said(b'{"aid":"change_password","old_password":"a","new_password":"b"}')
    says: tuple[Said, ...] = (
        world.random.choice(talk.NONSENSE),
        world.random.choice(talk.ODDITIES),
        talk.wrong_order(client, world.random),
        talk.foreign_order(client, world.random),
        talk.PING,
        password,
    )
    world.seen["nonsense"] += 1
    world.say(client, world.random.choice(says))


def cancel_foreign(world: World) -> None:
    client = _any(world, logged_in=True)
    if client is None:
        return
    others = [other for other in world.clients if other.trader is not client.trader and other.orders]
    if others:
        other = world.random.choice(others)
        world.seen["foreign order cancelled"] += 1
        world.say(client, talk.foreign_cancel(client, world.random.choice(list(other.orders)), other.trader))


def outrage(world: World) -> None:
    client = _any(world)
    if client is not None:
        world.say(client, world.random.choice(talk.OUTRAGE))


def flood(world: World) -> None:
    """More than any queue takes."""
    client = _any(world)
    if client is not None:
        _flood(world, client)


def _flood(world: World, client: Client) -> None:
    link = client.link
    assert link is not None
    world.seen["flood"] += 1
    link.flooded = True
    for _ in range(world.random.choice((70, 130))):
        world.say(client, talk.NONSENSE[0])
    while link.to_server:
        world.hear(link)
