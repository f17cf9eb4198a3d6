"""The core: what a command leads to, and what an event changes. Begin reading here.

`execute` is the whole path of one command: `decide` reads the state and names the events, `evolve` folds each of them
into the state, and what follows from an event is decided in the same entry by the same loop, live and in replay alike.
`orders`, `accounts` and `listing` decide, each for its own commands; `state` is what they read. No clock, no
randomness, no input or output: the same state and the same command give the same events anywhere.
"""

from exchange.decider.decide import PoisonCommandError, decide, execute, refuse_poison
from exchange.decider.digest import StateHash
from exchange.decider.evolve import evolve
from exchange.decider.state import ExchangeState

__all__ = ["ExchangeState", "PoisonCommandError", "StateHash", "decide", "evolve", "execute", "refuse_poison"]
