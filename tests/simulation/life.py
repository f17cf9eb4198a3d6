"""One life of the exchange's process: from recovery until it stops, fails or crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Final, NamedTuple

from eventstore.faults import Fault
from eventstore.memory import MemoryDisk
from eventstore.model import RecordedEntry, StoreError
from exchange.domain.commands import Command, OpenAccount, RegisterInstrument
from exchange.domain.events import CommandRefused, OrderRefused
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code, code_of
from exchange.gateway.surroundings import User
from exchange.server import recovery
from exchange.server.desk import NOT_TAKEN_CODES
from exchange.server.publisher import Publisher
from exchange.server.sequencer import Sequencer
from tests.simulation.broken import require
from tests.simulation.market import BY_NAME, LISTED, Trader
from tests.simulation.network import PEEK, Link, Said
from tests.simulation.storage import HeldLog
from tests.support.ws import FakeClock

MARK_INTERVAL_S: Final = 0.5
QUOTE_INTERVAL_S: Final = 0.01
PEEK_TIMEOUT_S: Final = 30.0
LOGIN_DEADLINE_S: Final = 10.0
WAITING_MAX: Final = 12
"""Entries that may wait for the disk: few, so that the exchange is busy now and then."""
WAITING_FOR_CANCELS: Final = 3


class _Login(NamedTuple):
    conversation: Conversation
    name: str
    secret: str


class Desk:
    """The desk without threads: logins are checked when the simulator says so. Submits as the real one does."""

    def __init__(self, sequencer: Sequencer, clock: FakeClock, log_id: str, epoch: int) -> None:
        self.log_id = log_id
        self.epoch = epoch
        self._sequencer = sequencer
        self._clock = clock
        self.checking: list[_Login] = []
        """Logins whose passwords are being checked."""
        self.owe: Callable[[Conversation, Code], None] = lambda conversation, code: None
        """Told of every notice that a conversation must give for what was asked here."""
        self.differs: Callable[[Conversation], None] = lambda conversation: None
        """Told of every conversation whose client is said to have another history."""
        self.asked: Callable[[Conversation], None] = lambda conversation: None
        """Told of every conversation that has a command decided."""

    def submit(self, conversation: Conversation, command: Command, client_id: str) -> Code | None:
        """Have a conversation's command decided."""
        assert conversation.user is not None, "an order came from a connection that is not logged in"
        self.asked(conversation)
        not_taken = self._sequencer.submit(
            command, actor=conversation.user.account_id, client_id=client_id, origin=f"ws/{conversation.number}"
        )
        if not_taken is None:
            return None
        code = NOT_TAKEN_CODES[not_taken]
        self.owe(conversation, code)
        return code

    def authenticate(self, conversation: Conversation, name: str, secret: str) -> None:
        """Check a login, when the simulator comes to it."""
        self.checking.append(_Login(conversation, name, secret))

    def authenticate_ticket(self, conversation: Conversation, name: str, ticket: str) -> None:
        """Check a ticket: `ticket of` and the name, once for each connection."""
        trader = BY_NAME.get(name)
        if trader is None or ticket != f"ticket of {name}":
            conversation.login_failed(Code.WRONG_LOGIN)
        elif trader.account_id in self._sequencer.state.accounts:
            conversation.login_succeeded(trader.user)
        else:
            self._open_account(conversation, trader)

    def change_password(self, conversation: Conversation, user: User, old: str, new: str) -> None:
        """Passwords stay as they are, so that clients can go on using them; only the answer is played."""
        self.owe(conversation, Code.PASSWORD_CHANGED)
        conversation.notify("INFO", Code.PASSWORD_CHANGED, {})
        conversation.wake()

    def history_differs(self, conversation: Conversation) -> None:
        """The notice is the conversation's to give."""
        self.differs(conversation)
        self.owe(conversation, Code.HISTORY_DIFFERS)

    def check(self, login: _Login) -> None:
        """Finish the check of a login."""
        self.checking.remove(login)
        conversation, name, secret = login
        trader = BY_NAME.get(name)
        if trader is None or trader.secret != secret:
            conversation.login_failed(Code.WRONG_LOGIN)
        elif trader.account_id in self._sequencer.state.accounts:
            conversation.login_succeeded(trader.user)
        else:
            self._open_account(conversation, trader)

    def _open_account(self, conversation: Conversation, trader: Trader) -> None:
        """Somebody without an account gets one, and is logged in a moment after that is durable."""
        not_taken = self._sequencer.submit(
            OpenAccount(account_id=trader.account_id, deposit=trader.deposit),
            actor="operator",
            origin="login",
            answer=lambda entry: self._clock.call_soon(lambda: conversation.login_succeeded(trader.user)),
        )
        if not_taken is not None:
            conversation.login_failed(NOT_TAKEN_CODES[not_taken])


class Life:
    """The process: everything in it is lost when it ends, but for the disk."""

    def __init__(
        self, disk: MemoryDisk, clock_ns: Callable[[], int], seen: Counter[str], committed: Callable[[], None]
    ) -> None:
        self._disk = disk
        self._seen = seen
        self._committed = committed
        self.log = HeldLog(disk)
        recovered = recovery.recover(self.log.store)
        self.state_hash = recovered.state_hash
        self.clock = FakeClock()
        self.publisher = Publisher(
            recovered.projections,
            self.clock,
            mark_interval_s=MARK_INTERVAL_S,
            quote_interval_s=QUOTE_INTERVAL_S,
            peek_timeout_s=PEEK_TIMEOUT_S,
            login_deadline_s=LOGIN_DEADLINE_S,
        )
        self.sequencer = Sequencer(
            recovered.state,
            recovered.state_hash,
            log_seq=recovered.log_seq,
            at_ns=recovered.at_ns,
            clock_ns=clock_ns,
            publish=self.publisher.publish,
            waiting_max=WAITING_MAX,
            waiting_for_cancels=WAITING_FOR_CANCELS,
        )
        head = self.log.store.head
        self.desk = Desk(self.sequencer, self.clock, head.log_id, head.epoch)
        self.desk.owe = self._owe
        self.desk.asked = self._check_open
        self.desk.differs = self._check_differs
        self.links: dict[Conversation, Link] = {}
        """Connections whose end the conversation has not been told of, in the order in which they came."""
        self.has_failed = False
        """Whether the loop has heard of a failed append: the process must end."""
        self._connections = 0
        self.sequencer.start(self.log)
        for terms in LISTED:
            if terms.instrument_id not in self.sequencer.state.instruments:
                self.operate(RegisterInstrument(terms=terms))
        # Nobody is served before the market is listed.
        if self.log.held:
            self.commit(self.log.held)
            self.hear_of_commit()

    def operate(self, command: Command) -> bool:
        """The operator's command; False where it was not taken."""
        return self.sequencer.submit(command, actor="operator", origin="operator") is None

    # The loop.

    def accept(self, link: Link) -> None:
        """A client connects."""
        self._connections += 1
        conversation = Conversation(self._connections, link, self.desk, self.publisher, link.spoken.dialect)
        link.conversation = conversation
        self.links[conversation] = link
        conversation.on_address(link.query)

    def hear(self, link: Link) -> Said | None:
        """The next text of a connection arrives; None where nobody listens any more, and it is lost."""
        said = link.to_server.popleft()
        if link.conversation is None or link.closed is not None:
            return None
        if said.notice is not None:
            link.owed[said.notice] += 1
        if said.perhaps is not None:
            link.allowed[said.perhaps] += 1
        link.peeks += said.text == PEEK.text
        link.must_close = link.must_close or said.close_code is not None
        link.conversation.on_text(said.text)
        self._end_closed()
        return said

    def writable_again(self, link: Link) -> None:
        """The client reads again."""
        if link.is_open and not link.writable:
            link.writable = True
            assert link.conversation is not None
            link.conversation.on_writable()
            self._end_closed()

    def lost(self, link: Link) -> None:
        """The exchange notices that a connection is over."""
        conversation = link.conversation
        if conversation is not None:
            link.writable = False
            link.closed = link.closed or (1006, "the connection was lost")
            self._end(link)

    def pass_time(self, seconds: float) -> None:
        """Time passes, with all that it brings."""
        self.clock.advance(seconds)
        self._end_closed()

    def run_pass(self) -> None:
        """One pass of the loop."""
        self.clock.run_pass()
        self._end_closed()

    def check_login(self, place: int) -> None:
        """One of the checked logins is done."""
        self.desk.check(self.desk.checking[place])
        self._end_closed()

    # The log.

    def commit(self, most: int, fault: Fault | None = None) -> int:
        """The writer's thread appends; the loop does not know of it yet."""
        count = self.log.commit(most, fault)
        self._committed()
        return count

    def hear_of_commit(self) -> None:
        """The loop is told what became of the oldest append it has not heard of."""
        outcome = self.log.told.popleft()
        if isinstance(outcome, StoreError):
            self.has_failed = True
            self.sequencer.failed()
            for conversation in self.links:
                if conversation.user is not None:
                    self._owe(conversation, Code.OUTCOME_UNKNOWN)
            self.publisher.tell_all(Code.OUTCOME_UNKNOWN, {})
        else:
            self._owe_refusals(outcome.log_seq)
            self.sequencer.durable(outcome.log_seq)
        self._end_closed()

    def shut_down(self) -> None:
        """Stop in good order: what was decided becomes durable and is published, then the log is closed."""
        self.sequencer.stop()
        while self.log.held:
            self.commit(self.log.held)
        while self.log.told:
            self.hear_of_commit()
        self.log.store.close()

    # Within.

    def _owe_refusals(self, log_seq: int) -> None:
        """Every refusal that becomes durable is owed to all connections of its user."""
        for entry in self._entries(self.sequencer.durable_log_seq, log_seq):
            for event in recovery.decode_events(entry):
                if isinstance(event, OrderRefused | CommandRefused):
                    for conversation, link in self.links.items():
                        if conversation.user is not None and conversation.user.account_id == event.account_id:
                            link.owed[code_of(event.reason)] += 1

    def _entries(self, after: int, until: int) -> list[RecordedEntry]:
        """Read past the store, which refuses once a later append has failed."""
        behind = takewhile(lambda entry: entry.last_log_seq > after, reversed(self._disk.entries))
        return [entry for entry in behind if entry.last_log_seq <= until]

    def _owe(self, conversation: Conversation, code: Code) -> None:
        self._seen[code.name] += 1
        self.links[conversation].owed[code] += 1

    def _check_open(self, conversation: Conversation) -> None:
        link = self.links[conversation]
        require(link.closed is None, 10, f"{link.client} is obeyed on a connection that was ended with {link.closed}")

    def _check_differs(self, conversation: Conversation) -> None:
        """An alarm is one: the client does claim another log, or a place that this one has not reached."""
        link = self.links[conversation]
        claim = link.resumed
        require(claim is not None, 5, f"{link.client} claimed nothing, and is told that it is wrong")
        assert claim is not None
        is_ours = claim.log_id.startswith(f"{self.desk.log_id}.") and claim.version <= self.sequencer.durable_log_seq
        require(not is_ours, 5, f"{link.client} claims {claim.log_id} at {claim.version}, and is told that it is wrong")

    def _end_closed(self) -> None:
        """Conversations that ended their connection are told of its end in a pass of its own, as the socket does."""
        for link in tuple(self.links.values()):
            if link.closed is not None:
                self.clock.call_soon(partial(self._end, link))

    def _end(self, link: Link) -> None:
        conversation = link.conversation
        if conversation is not None:
            link.conversation = None
            del self.links[conversation]
            conversation.on_disconnect()
