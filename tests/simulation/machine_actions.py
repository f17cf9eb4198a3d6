"""What happens to the exchange itself: its log, its process, its operator, its clocks."""

from __future__ import annotations

from eventstore.faults import Fault
from exchange.domain.commands import Deposit, RegisterInstrument, RestoreAccount, SuspendAccount, Withdraw
from exchange.domain.values import Money
from tests.simulation.life import PEEK_TIMEOUT_S
from tests.simulation.market import LISTED_LATER, TRADERS, Trader
from tests.simulation.world import World


def bury(world: World) -> None:
    if world.ghosts:
        world.bury(world.random.choice(world.ghosts))


def check_login(world: World) -> None:
    if world.running.desk.checking:
        world.note("a login is checked")
        world.running.check_login(world.random.randrange(len(world.running.desk.checking)))


def operate(world: World) -> None:
    """The operator pays in or out, suspends and restores, or lists a contract."""
    trader = world.random.choice(TRADERS)
    amount = Money(world.random.choice((1, 1_000_000, 3_141_592_653, 5_000_000_000)))
    commands = (
        Deposit(account_id=trader.account_id, amount=amount),
        Withdraw(account_id=trader.account_id, amount=amount),
        RegisterInstrument(terms=world.random.choice(LISTED_LATER)),
        _suspension(world, trader),
    )
    command = world.random.choices(commands, (6, 3, 1, 1.5))[0]
    taken = world.running.operate(command)
    world.note(f"the operator's {command} is taken: {taken}")


def _suspension(world: World, trader: Trader) -> SuspendAccount | RestoreAccount:
    """Whoever is suspended is restored before the next one is, so that trading goes on."""
    accounts = world.running.sequencer.state.accounts.values()
    suspended = [account.account_id for account in accounts if account.suspended]
    return RestoreAccount(account_id=suspended[0]) if suspended else SuspendAccount(account_id=trader.account_id)


def commit(world: World) -> None:
    if world.running.log.held:
        world.commit(world.random.randint(1, world.running.log.held))


def hear_of_commit(world: World) -> None:
    if world.running.log.told:
        world.note("the loop hears of a commit")
        world.running.hear_of_commit()


def fail(world: World) -> None:
    if world.running.log.held:
        world.commit(world.random.randint(1, world.running.log.held), world.random.choice(list(Fault)))


def crash(world: World) -> None:
    world.crash()


def shut_down(world: World) -> None:
    if not world.running.log.has_failed:
        world.shut_down()


def pass_time(world: World) -> None:
    world.pass_time(world.random.choice((0.001, 0.02, 0.1, 0.6, 2.0)))


def pass_long_time(world: World) -> None:
    world.pass_time(PEEK_TIMEOUT_S * world.random.choice((0.4, 1.1)))


def move_clock(world: World) -> None:
    world.move_wall_clock(world.random.choice((-3600.0, -1.5, 0.5, 7200.0)))
