"""Everything comes to rest: what was said is heard, what was decided is durable, every client is back and waits."""

from __future__ import annotations

from typing import Final

from tests.simulation import laws
from tests.simulation.broken import LawBrokenError
from tests.simulation.client import Client
from tests.simulation.life import MARK_INTERVAL_S
from tests.simulation.network import Said
from tests.simulation.world import World

ROUNDS_MAX: Final = 60
QUIET_ROUNDS: Final = 3
"""Rounds without any frame after which nothing is to come: every interval of the exchange is over by then."""


def come_to_rest(world: World) -> None:
    """Let everything settle, then hold the laws against it. The time that passes is far below the peek timeout, so that
    a client who was forgotten is found out."""
    world.note("coming to rest")
    if world.life is not None and world.life.log.has_failed:
        world.crash()
    if world.life is None:
        world.start()
    for link in tuple(world.ghosts):
        world.bury(link)
    quiet = rounds = 0
    while quiet < QUIET_ROUNDS:
        rounds += 1
        if rounds > ROUNDS_MAX:
            raise LawBrokenError(5, f"nothing comes to rest in {ROUNDS_MAX} rounds")
        quiet = 0 if _round(world) else quiet + 1
    world.seen["rest"] += 1
    laws.check_at_rest(world.oracle, world.running, world.disk, world.clients)


def _round(world: World) -> bool:
    """Everybody does what there is to do; returns whether anything was."""
    frames = 0
    for client in world.clients:
        _be_there(world, client)
        frames += _hear_all(world, client)
    frames += _settle(world)
    world.pass_time(MARK_INTERVAL_S * 1.1)
    for client in world.clients:
        frames += _read_all(world, client)
    return frames > 0


def _be_there(world: World, client: Client) -> None:
    """Connected, reading, with a peek that waits, and with every order sent that the log does not have."""
    if client.link is None:
        world.connect(client)
        assert client.link is not None
        world.choose_mirror(client, client.link.spoken)
        world.log_in(client)
    link = client.link
    assert link is not None
    if link.is_open and not link.writable:
        world.read_again(link)
    if link.is_open and not client.logged_in and not client.logins_unanswered:
        world.log_in(client)
    if client.answer_waits:
        world.peek(client)
    if not client.logged_in:
        return
    for order_id, text in client.orders.items():
        if not world.oracle.first_orders[client.trader.account_id, order_id]:
            world.say(client, Said(text))
    world.peek(client)


def _hear_all(world: World, client: Client) -> int:
    link = client.link
    count = len(link.to_server) if link is not None else 0
    while link is not None and link.to_server:
        world.hear(link)
    return count


def _settle(world: World) -> int:
    """Logins are checked, entries committed, outcomes heard of."""
    life = world.running
    count = 0
    while life.desk.checking or life.log.held or life.log.told:
        count += 1
        if life.desk.checking:
            life.check_login(0)
        if life.log.held:
            world.commit(life.log.held)
        if life.log.told:
            life.hear_of_commit()
        life.run_pass()
    return count


def _read_all(world: World, client: Client) -> int:
    link = client.link
    assert link is not None
    count = len(link.to_client) + (link.closed is not None)
    while client.link is link and (link.to_client or link.closed is not None):
        world.read(link)
    return count
