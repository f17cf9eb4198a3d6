"""What happens next: weighted choices, all of them drawn from the world's one source of randomness."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Final

from tests.simulation import client_actions as clients
from tests.simulation import laws
from tests.simulation import machine_actions as machine
from tests.simulation.world import World

Action = Callable[[World], None]

_WEIGHTS: Final[dict[Action, float]] = {
    clients.come: 12,
    clients.log_in_again: 0.4,
    clients.drop: 1.6,
    machine.bury: 2,
    machine.check_login: 8,
    clients.hear: 28,
    clients.read: 28,
    clients.peek: 18,
    clients.stop_reading: 1.5,
    clients.read_again: 3,
    clients.trade: 36,
    clients.repeat: 2,
    clients.resend: 1.2,
    clients.cancel: 5,
    clients.subscribe: 4,
    machine.operate: 1.5,
    clients.talk_nonsense: 2,
    clients.cancel_foreign: 0.6,
    clients.outrage: 0.4,
    clients.flood: 0.15,
    machine.commit: 18,
    machine.hear_of_commit: 18,
    machine.fail: 0.4,
    machine.crash: 0.4,
    machine.shut_down: 0.2,
    machine.pass_time: 8,
    machine.pass_long_time: 0.4,
    machine.move_clock: 0.5,
}
"""How often each is done, by its share of the sum. One for which nothing is there at the moment does nothing."""

_ACTIONS: Final = tuple(_WEIGHTS)
_CUMULATED: Final = tuple(accumulate(_WEIGHTS.values()))


def act(world: World) -> None:
    """One random action. While the process is down nothing happens but that it starts anew; soon after it has heard of
    a failed append it ends."""
    life = world.life
    if life is None:
        world.start()
        return
    if life.has_failed and world.random.random() < 0.3:
        world.crash()
        return
    action = world.random.choices(_ACTIONS, cum_weights=_CUMULATED)[0]
    action(world)
    if world.life is not None:
        if world.random.random() < 0.8:
            world.life.run_pass()
        laws.check_bounds(world.life)
