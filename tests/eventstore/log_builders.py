"""Entries for tests: builders fill in what a test does not care about."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from hypothesis import strategies as st

from eventstore.model import NewEntry, NewEvent

T0 = 1_700_000_000_000_000_000


def event(stream: str = "book/1", payload: bytes = b'{"lent":true}', type_: str = "Lent", version: int = 1) -> NewEvent:
    return NewEvent(stream=stream, type=type_, version=version, payload=payload)


def entry(*events: NewEvent, at_ns: int = T0, body: bytes = b'{"want":1}', client_id: str = "c1") -> NewEntry:
    return NewEntry(
        at_ns=at_ns,
        type="Lend",
        version=1,
        actor="reader/7",
        client_id=client_id,
        origin="desk/2",
        body=body,
        events=events or (event(),),
    )


def numbered_entry(n: int) -> NewEntry:
    """The n-th entry, from 1, of an endless log that is the same in every process: entry n has 1 to 3 events."""
    return entry(
        *(event(f"book/{(n + k) % 5}", b'{"n":%d,"k":%d}' % (n, k)) for k in range(1 + n % 3)),
        at_ns=T0 + n // 2,
        client_id=f"c{n}",
    )


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word, over leaf hashes: slow and obvious."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 2 ** ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


_texts = st.text(max_size=8)
_names = st.text(min_size=1, max_size=4)
_payloads = st.integers().map(lambda n: b'{"n":%d}' % n)


@st.composite
def entry_lists(draw: st.DrawFn) -> list[NewEntry]:
    """One to twelve entries with any texts and times that never fall."""
    times = sorted(draw(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=12)))
    return [
        NewEntry(
            at_ns=at_ns,
            type=draw(_names),
            version=draw(st.integers(1, 2**31 - 1)),
            actor=draw(_texts),
            client_id=draw(_texts),
            origin=draw(_texts),
            body=draw(_payloads),
            events=tuple(
                draw(
                    st.lists(
                        st.builds(
                            NewEvent, stream=_names, type=_names, version=st.integers(1, 2**31 - 1), payload=_payloads
                        ),
                        min_size=1,
                        max_size=4,
                    )
                )
            ),
        )
        for at_ns in times
    ]
