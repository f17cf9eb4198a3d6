"""The disk, the present life of the exchange, the clients, and everything that can happen between them."""

from __future__ import annotations

import copy
from collections import Counter
from hashlib import sha256
from random import Random

from eventstore.faults import Fault
from eventstore.memory import MemoryDisk
from tests.simulation import laws, talk
from tests.simulation.broken import require
from tests.simulation.client import MERGES, Client, Kept
from tests.simulation.dialects import SPOKEN, Spoken
from tests.simulation.life import Life
from tests.simulation.market import LISTED, LISTED_LATER, TRADERS, UNKNOWN_ID
from tests.simulation.network import PEEK, Link, Said
from tests.simulation.oracle import Oracle

START_NS = 1_800_000_000 * 10**9


class World:
    """One history. Every method is one thing that happens; who chooses them is `actions`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = MemoryDisk(f"log-{seed}")
        self.oracle = Oracle(self.disk)
        self.now_ns = START_NS
        self.seen: Counter[str] = Counter()
        """What happened, for the sake of knowing that it did."""
        self.did: list[str] = []
        """Everything that was done, in words."""
        self._trace = sha256()
        self.ghosts: list[Link] = []
        """Connections that the client has lost and the exchange still believes in."""
        # Two windows for the first two users. Half of the clients merge as the guide does, and not the same half knows
        # that the answer to a login comes unasked.
        quoted: dict[str, dict[bytes, None]] = {trader.name: {} for trader in TRADERS}
        self.clients = [
            Client(number, trader, MERGES[number % 2], quoted[trader.name], asks_again=number % 3 != 0)
            for number, trader in enumerate((*TRADERS, *TRADERS[:2]))
        ]
        self.life: Life | None = None
        self.start()

    def note(self, what: str) -> None:
        """Write down what is done now."""
        self.did.append(what)
        self._trace.update(what.encode())

    @property
    def trace(self) -> str:
        """One hash over everything that was done, and every frame that was sent."""
        return self._trace.hexdigest()

    @property
    def running(self) -> Life:
        """The present life of the process, which must not be down."""
        assert self.life is not None, "the process is down"
        return self.life

    # The process.

    def start(self) -> None:
        """A new life, from the log."""
        self.note("start")
        self.life = Life(self.disk, lambda: self.now_ns, self.seen, self.oracle.catch_up)

    def crash(self) -> None:
        """The process is gone, with all that is not on the disk. What was on its way to clients may still arrive."""
        life = self.running
        self.note("crash")
        self.seen["crash with entries in hand"] += bool(life.log.held)
        self.seen["crash before the loop heard of a commit"] += bool(life.log.told) and not life.log.has_failed
        self.seen["crash"] += 1
        self._end_life(life)
        self.disk.crash()

    def shut_down(self) -> None:
        """The process ends in good order."""
        life = self.running
        self.note("shut down")
        life.shut_down()
        self.seen["shutdown"] += 1
        self._end_life(life)

    def _end_life(self, life: Life) -> None:
        self.life = None
        for link in life.links.values():
            link.conversation = None
            link.closed = link.closed or (1006, "the process is gone")
        for client in self.clients:
            if client.link is not None:
                self._lose(client, client.link)
        self.ghosts.clear()

    # The log.

    def commit(self, most: int, fault: Fault | None = None) -> None:
        """Up to `most` of the entries in hand become durable, or not."""
        life = self.running
        count = life.commit(most, fault)
        self.note(f"commit {count} {fault.value if fault else ''}")
        if fault is not None:
            self.seen[f"append {fault.value}"] += 1

    # Connections.

    def connect(self, client: Client) -> None:
        """A client opens a connection; it has not said anything."""
        client.resumed = None
        self._connect(client, self._choose_dialect(client), "")

    def connect_by_address(self, client: Client, *, right: bool) -> None:
        """A client opens a connection whose address logs it in, or tries to."""
        spoken = self._choose_dialect(client)
        self.choose_mirror(client, spoken)
        self.seen["login by the address" if right else "wrong ticket"] += 1
        self._connect(client, spoken, talk.address(client, right=right))

    def _connect(self, client: Client, spoken: Spoken, query: str) -> None:
        self.note(f"{client} connects, speaking {spoken}, {query}")
        link = Link(client, spoken, self._on_sent, query=query)
        link.resumed = client.resumed
        client.connected(link)
        self.running.accept(link)

    def _choose_dialect(self, client: Client) -> Spoken:
        """Half of the clients speak each dialect, and now and then one changes."""
        own = SPOKEN[client.number // 2 % 2]
        return self.random.choice(SPOKEN) if self.random.random() < 0.15 else own

    def choose_mirror(self, client: Client, spoken: Spoken) -> None:
        """What the client holds, and claims to hold, when it logs in next: its mirror, an older one, or nothing."""
        client.resumed = None
        self._choose_mirror(client)
        # Of a mirror of the other dialect only the claim is left.
        self.seen["resume in another dialect"] += client.resumed is not None and client.spoken is not spoken
        client.speak(spoken)
        if client.link is not None:
            client.link.resumed = client.resumed

    def _choose_mirror(self, client: Client) -> None:
        choice = self.random.random()
        if client.version < 0 or choice < 0.15:
            if choice < 0.08:
                client.mirror, client.version = {}, -1
            # Else it keeps its mirror without saying so: the full step must clear it.
            return
        kept = Kept(client.mirror, client.version, client.log_id, client.epoch, client.spoken)
        if choice < 0.45 and client.kept:
            kept = self.random.choice(client.kept)
            self.seen["resume with an older mirror"] += 1
        elif choice < 0.5:
            # A program whose user has changed: the mirror is somebody else's.
            kept = self.random.choice([k for other in self.clients for k in other.kept] or [kept])
        if kept.epoch < self.disk.epoch:
            self.seen["resume from before a restart"] += 1
        client.mirror, client.version, client.log_id = copy.deepcopy(kept.mirror), kept.version, kept.log_id
        client.spoken = kept.spoken
        client.resumed = self._bent(kept)

    def _bent(self, kept: Kept) -> Kept:
        """Now and then a claim that is not the truth: a number inside an entry, one above the head, another log."""
        choice = self.random.random()
        if choice < 0.25:
            until = next((e.last_log_seq for e in self.disk.entries if e.last_log_seq > kept.version), kept.version + 1)
            self.seen["resume inside an entry"] += until > kept.version + 1
            return kept._replace(version=self.random.randrange(kept.version, until))
        if choice < 0.3:
            self.seen["resume with a history that differs"] += 1
            return kept._replace(version=10**6) if choice < 0.27 else kept._replace(log_id=f"another{kept.log_id}")
        if choice < 0.33:
            return kept._replace(version=-5) if choice < 0.32 else kept._replace(log_id="")
        return kept

    def log_in(self, client: Client, *, secret: str | None = None) -> None:
        """A client says who it is, and where its mirror stands; with another secret than its own in vain."""
        client.logins_unanswered += 1
        self.say(client, talk.login(client, self.random, secret=secret or client.trader.secret))

    def say(self, client: Client, said: Said) -> None:
        """A client sends a text; it is on its way."""
        link = client.link
        assert link is not None
        self.note(f"{client} says {said.text[:300]!r}")
        link.to_server.append(said)

    def hear(self, link: Link) -> None:
        """The exchange hears the next text of a connection."""
        life = self.running
        conversation = link.conversation
        said = life.hear(link)
        self.note(f"{link.client} is heard")
        # Before it is logged in a text may have to wait for the check of a password.
        is_heard_at_once = conversation is not None and conversation.user is not None
        if said is not None and said.close_code is not None and is_heard_at_once:
            require(link.closed is not None, 10, f"{said.text!r} does not end the connection")
            assert link.closed is not None
            require(link.closed[0] == said.close_code, 10, f"{said.text!r} ends the connection with {link.closed}")

    def read(self, link: Link) -> None:
        """A client gets the next frame, or finds that the connection is over."""
        client = link.client
        if not link.to_client:
            if link.closed is not None and client.link is link:
                self._see_end(client, link)
            return
        sent = link.to_client.popleft()
        self.note(f"{client} reads")
        version_before, quotes_before = client.version, client.mirror.get("quotes", {})
        resumed, epoch_before = client.resumed, client.epoch
        step = client.hear(sent.text, self.disk.epoch)
        if step is None:
            return
        laws.check_step(self.oracle, client, sent, step, version_before)
        if self.random.random() < 0.2:
            client.keep()
        laws.recognize(self.seen, client, step, quotes_before)
        if step.answers_login and step.version is not None:
            self._begin(client)
            if resumed is not None and not step.full:
                self.seen["resume led on"] += 1
                self.seen["resume led on across a restart"] += epoch_before < self.disk.epoch

    def _begin(self, client: Client) -> None:
        """A client that was just logged in subscribes and peeks, as most programs do."""
        if client.link is not None and self.random.random() < 0.8:
            self.subscribe(client)
            self.peek(client)

    def peek(self, client: Client) -> None:
        """Ask for news, unless it believes that a peek of its waits already."""
        if not client.has_peeked:
            client.has_peeked = True
            self.say(client, PEEK)

    def subscribe(self, client: Client) -> None:
        """Subscribe to some of the quotes, in place of those before."""
        names: list[str] = [terms.instrument_id for terms in LISTED if self.random.random() < 0.6]
        if self.random.random() < 0.1:
            # Only together with a name that is never known, so that there is one notice whatever is listed by then.
            names += [LISTED_LATER[0].instrument_id, UNKNOWN_ID, LISTED_LATER[1].instrument_id]
        client.wanted = tuple(names)
        self.say(client, talk.subscribe(client, client.wanted))

    def _see_end(self, client: Client, link: Link) -> None:
        """The exchange has ended the connection: with a good reason, or it should not have."""
        assert link.closed is not None
        code, reason = link.closed
        self.note(f"{client} is disconnected: {code} {reason}")
        self.seen[f"disconnected with {code}"] += 1
        require(link.must_close or code == 1008, 10, f"{client} was disconnected: {code} {reason}")
        client.disconnected()

    def drop(self, client: Client) -> None:
        """A connection breaks. Some of what was on its way arrives; the exchange may not know for a while."""
        link = client.link
        assert link is not None
        self.note(f"{client} drops its connection")
        self.seen["drop"] += 1
        for _ in range(self.random.randint(0, len(link.to_server))):
            self.hear(link)
        self._lose(client, link)
        self.ghosts.append(link)

    def _lose(self, client: Client, link: Link) -> None:
        """Some of the frames on their way to a client arrive, the others never do."""
        arriving = self.random.randint(0, len(link.to_client))
        self.seen["frames lost"] += arriving < len(link.to_client)
        self.seen["texts lost"] += bool(link.to_server)
        for _ in range(arriving):
            self.read(link)
        link.to_server.clear()
        if client.link is link:
            client.disconnected()

    def bury(self, link: Link) -> None:
        """The exchange notices that a connection is over."""
        self.ghosts.remove(link)
        self.running.lost(link)

    def stop_reading(self, client: Client) -> None:
        """A client does not read any more: what is sent to it waits, and the exchange sees that."""
        link = client.link
        assert link is not None
        self.note(f"{client} stops reading")
        if link.is_open:
            link.writable = False

    def read_again(self, link: Link) -> None:
        """A client reads what has waited; then one step brings all that it has missed."""
        self.note(f"{link.client} reads again")
        while link.to_client:
            self.read(link)
        version = link.client.version
        self.running.writable_again(link)
        require(len(link.to_client) <= 1, 10, f"{len(link.to_client)} steps for {link.client}, who reads again")
        if link.to_client and self.oracle.log_seq > version + 3:
            self.seen["one larger step for a slow reader"] += 1

    # Time.

    def pass_time(self, seconds: float) -> None:
        """The clocks go on."""
        self.note(f"{seconds:g} s pass")
        self.now_ns += int(seconds * 10**9)
        if self.life is not None:
            self.life.pass_time(seconds)

    def move_wall_clock(self, seconds: float) -> None:
        """Somebody sets the clock of the machine; the loop's own clock does not know."""
        self.note(f"the clock is moved by {seconds:g} s")
        self.seen["clock set back"] += seconds < 0
        self.now_ns += int(seconds * 10**9)

    def _on_sent(self, link: Link, text: bytes) -> None:
        self._trace.update(text)
        laws.check_frame(self.oracle, link, text)
