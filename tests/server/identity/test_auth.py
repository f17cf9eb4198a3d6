"""Users, their passwords and their tokens."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import argon2
import pytest
from argon2.profiles import CHEAPEST
from sqlalchemy import event

from exchange.domain.values import AccountId
from exchange.gateway.access import Role
from exchange.server.identity.auth import Users
from exchange.server.identity.known_tokens import KnownTokens
from exchange.server.identity.tokens import TOKENS_PER_USER_MAX, hash_of_token
from exchange.server.identity.users import AccountTakenError, LoginRevokedError, UnknownUserError, User, UserExistsError
from exchange.server.identity.users_database import UsersDatabaseError
from tests.support.users import run_with_users

CANARY = "canary-4f1c-秘密"
"""A password that must not show anywhere."""
HOUR = timedelta(hours=1)
HOUR_NS = 3_600_000_000_000


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now_ns = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.db"


@pytest.fixture
async def users(path: Path, clock: Clock) -> AsyncIterator[Users]:
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST) as opened:
        yield opened


@pytest.fixture
def hashes_checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stored hashes that were held against a password, the slow way, in order."""
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, password_hash: str, password: bytes) -> bool:
        checked.append(password_hash)
        return verify(self, password_hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return checked


def asked_of(users: Users) -> list[str]:
    """The statements that their database is asked from now on."""
    asked: list[str] = []
    event.listen(users._engine.sync_engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    return asked


@pytest.fixture
def queries(users: Users) -> list[str]:
    return asked_of(users)


def stored(path: Path, query: str) -> list[tuple[object, ...]]:
    """What another program reads in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def content_of(folder: Path) -> bytes:
    """All bytes of the files in a folder."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def token_of(users: Users, user: User, lifetime: timedelta) -> str:
    """A fresh token of the user."""
    return (await users.issue_token(user, lifetime)).text


# Users


async def test_a_user_is_found_as_added(users: Users, clock: Clock) -> None:
    added = await users.add("alice", "pw")
    assert await users.find("alice") == added
    assert (added.name, added.role, added.created_at_ns) == ("alice", "trader", clock.now_ns)
    assert await users.find("bob") is None


async def test_an_account_id_tells_nothing_of_its_user(users: Users) -> None:
    alice, bob = await users.add("alice", "pw"), await users.add("bob", "pw")
    for user in (alice, bob):
        assert len(user.account_id) == 11
        assert user.account_id[0] == "A"
        int(user.account_id[1:], 16)
    assert alice.account_id != bob.account_id


async def test_an_account_id_can_be_given_once(users: Users) -> None:
    assert (await users.add("house", "pw", account_id="HOUSE-1")).account_id == "HOUSE-1"
    with pytest.raises(AccountTakenError, match="'HOUSE-1' belongs to another user"):
        await users.add("other", "pw", account_id="HOUSE-1")
    assert await users.find("other") is None


async def test_a_fresh_account_id_that_is_taken_is_drawn_again(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    await users.add("alice", "pw", account_id="A0000000000")
    draws = iter(["0000000000", "0000000001"])
    monkeypatch.setattr("exchange.server.identity.auth.secrets.token_hex", lambda _bytes: next(draws))
    assert (await users.add("bob", "pw")).account_id == "A0000000001"


async def test_a_name_is_given_once(users: Users) -> None:
    await users.add("alice", "first")
    with pytest.raises(UserExistsError, match="'alice' already"):
        await users.add("alice", "second")
    assert await users.verify("alice", "second") is None


async def test_two_who_want_one_name_at_once_get_it_once(users: Users) -> None:
    outcomes = await asyncio.gather(*(users.add("alice", "pw") for _ in range(5)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["User"] + ["UserExistsError"] * 4


async def test_users_are_listed_in_order_of_their_names(users: Users) -> None:
    for name in ("bob", "甲", "alice"):
        await users.add(name, "pw")
    assert [user.name for user in await users.list()] == ["alice", "bob", "甲"]


@pytest.mark.parametrize("name", ["a", "张三", "user_1", "_x", "7", "a.b-c", "é", "x" * 64])
async def test_names_that_may_be(users: Users, name: str) -> None:
    assert (await users.add(name, "pw")).name == name


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "a b", "a/b", ".", "..", ".a", "-a", "a\n", "a,b", "<a>", "e\u0301", "\ud800", "a\0", "😀"]
)
async def test_names_that_may_not_be(users: Users, name: str) -> None:
    with pytest.raises(ValueError, match="is no user name: 1 to 64 letters"):
        await users.add(name, "pw")
    assert await users.find(name) is None
    assert await users.verify(name, "pw") is None


async def test_look_alike_names_are_refused_with_the_plain_one(users: Users) -> None:
    with pytest.raises(ValueError, match="look-alike characters: write 'alice'"):
        await users.add("ａlice", "pw")


@pytest.mark.parametrize("account_id", ["", "a b", "-a", "甲", "x" * 65, "a/b"])
async def test_account_ids_that_may_not_be(users: Users, account_id: str) -> None:
    with pytest.raises(ValueError, match="is no account id: 1 to 64 of"):
        await users.add("alice", "pw", account_id=account_id)


# Passwords


async def test_the_right_password_gives_the_user(users: Users) -> None:
    alice = await users.add("alice", CANARY)
    await users.add("bob", "other")
    assert await users.verify("alice", CANARY) == alice
    assert await users.verify("alice", "other") is None
    assert await users.verify("bob", CANARY) is None
    assert await users.verify("nobody", CANARY) is None


async def test_an_unknown_user_costs_one_check_of_the_usual_kind(users: Users, hashes_checked: list[str]) -> None:
    await users.add("alice", "pw")
    await users.verify("alice", "wrong")
    await users.verify("nobody", "wrong")
    await users.verify("no name at all", "wrong")
    parameters = [argon2.extract_parameters(password_hash) for password_hash in hashes_checked]
    assert parameters == [CHEAPEST] * 3


@pytest.mark.parametrize(
    ("password", "why"),
    [("", "1 to 1024 characters, this one has 0"), ("x" * 1025, "this one has 1025"), ("\ud800" + CANARY, "surrogate")],
)
async def test_passwords_that_may_not_be(users: Users, password: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        await users.add("alice", password)
    assert CANARY not in repr((refused.value, refused.value.__cause__, refused.value.args))
    await users.add("alice", "pw")
    assert await users.verify("alice", password) is None


async def test_a_password_of_the_greatest_length_works(users: Users) -> None:
    alice = await users.add("alice", "密" * 1024)
    assert await users.verify("alice", "密" * 1024) == alice
    assert await users.verify("alice", "密" * 1023) is None


async def test_who_comes_back_pays_no_second_check_but_a_guess_does(users: Users, hashes_checked: list[str]) -> None:
    alice = await users.add("alice", "pw")
    assert await users.verify("alice", "pw") == alice
    assert await users.verify("alice", "pw") == alice
    assert len(hashes_checked) == 1
    assert await users.verify("alice", "guess") is None
    assert len(hashes_checked) == 2


async def test_a_changed_password_voids_the_former_one_and_the_tokens(users: Users) -> None:
    alice = await users.add("alice", "former")
    token = await token_of(users, alice, HOUR)
    assert await users.verify("alice", "former") == alice
    await users.change_password("alice", "latter")
    assert await users.verify("alice", "former") is None
    assert await users.verify("alice", token) is None
    assert await users.verify("alice", "latter") == alice


async def test_only_a_user_has_a_password_to_change(users: Users) -> None:
    with pytest.raises(UnknownUserError, match="'nobody'"):
        await users.change_password("nobody", "pw")
    with pytest.raises(ValueError, match="1 to 1024 characters"):
        await users.change_password("nobody", "")


async def test_a_hash_with_former_parameters_is_replaced_at_the_next_login(
    path: Path, users: Users, hashes_checked: list[str]
) -> None:
    alice = await users.add("alice", "pw")
    await users.close()
    dearer = argon2.Parameters(
        type=argon2.Type.ID, version=0x13, salt_len=16, hash_len=32, time_cost=2, memory_cost=16, parallelism=1
    )
    async with await Users.open(path, hashing=dearer) as later:
        assert await later.verify("alice", "wrong") is None
        assert await later.verify("alice", "pw") == alice
        assert await later.verify("alice", "pw") == alice
        assert len(hashes_checked) == 2
    ((password_hash,),) = stored(path, "SELECT password_hash FROM user")
    assert argon2.extract_parameters(str(password_hash)) == dearer


async def test_an_unknown_name_and_a_wrong_password_cost_the_same_work(
    users: Users, queries: list[str], hashes_checked: list[str]
) -> None:
    await users.add("alice", "pw")
    work = []
    for name in ("alice", "nobody"):
        for secret in ("wrong", "x" * 43):
            queries.clear()
            hashes_checked.clear()
            assert await users.verify(name, secret) is None
            work.append((name, secret, list(queries), len(hashes_checked)))
    assert [each[1:] for each in work[:2]] == [each[1:] for each in work[2:]]


async def test_a_password_that_is_changed_while_the_old_one_is_checked_lets_nobody_in(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check takes its time, and what was right when it began is wrong when it ends."""
    await users.add("alice", "former")
    check = users._hash_pool.check
    changed = False

    async def check_and_be_overtaken(password_hash: str, password: bytes) -> object:
        nonlocal changed
        found = await check(password_hash, password)
        if not changed:
            changed = True
            await users.change_password("alice", "latter")
        return found

    monkeypatch.setattr(users._hash_pool, "check", check_and_be_overtaken)
    assert await users.verify("alice", "former") is None
    assert await users.verify("alice", "latter") is not None


async def test_whoever_knew_the_former_password_cannot_undo_a_change(users: Users) -> None:
    alice = await users.add("alice", "former")
    await users.change_password("alice", "by the operator")
    with pytest.raises(LoginRevokedError, match="'alice' was revoked meanwhile"):
        await users.change_own_password(alice, "by the thief", connection=1)
    assert await users.verify("alice", "by the operator") is not None


# Roles


async def test_a_user_has_a_role_from_the_start(users: Users) -> None:
    assert (await users.add("alice", "pw")).role is Role.TRADER
    for role in Role:
        await users.add(f"a-{role}", "pw", role=role)
        known = await users.verify(f"a-{role}", "pw")
        assert known is not None
        assert known.role is role


async def test_another_role_voids_the_tokens_and_not_the_password(users: Users) -> None:
    alice = await users.add("alice", "pw")
    token = await token_of(users, alice, HOUR)
    assert await users.verify("alice", token) == alice
    await users.set_role("alice", Role.AUDITOR)
    assert await users.verify("alice", token) is None
    known = await users.verify("alice", "pw")
    assert known is not None
    assert known.role is Role.AUDITOR
    with pytest.raises(UnknownUserError, match="'nobody'"):
        await users.set_role("nobody", Role.ADMIN)


async def test_a_role_that_this_program_does_not_know_is_not_guessed(path: Path, users: Users) -> None:
    await users.add("alice", "pw")
    await users.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE user SET role = 'emperor'")
    with pytest.raises(UsersDatabaseError, match=r"'alice' has the role 'emperor', which is none of trader, observer"):
        await Users.open(path, hashing=CHEAPEST)


# Tokens


async def test_a_token_logs_its_user_in_and_nobody_else(users: Users, hashes_checked: list[str]) -> None:
    alice = await users.add("alice", "pw")
    await users.add("bob", "pw")
    token = await token_of(users, alice, HOUR)
    assert await users.verify_token(token) == alice
    assert await users.verify("alice", token) == alice
    assert hashes_checked == []
    assert await users.verify("bob", token) is None


async def test_a_token_ends_with_its_lifetime(users: Users, clock: Clock) -> None:
    token = await token_of(users, await users.add("alice", "pw"), HOUR)
    clock.now_ns += HOUR_NS - 1
    assert await users.verify_token(token) is not None
    assert await users.purge_expired() == 0
    clock.now_ns += 1
    assert await users.verify_token(token) is None
    assert await users.purge_expired() == 1
    assert await users.purge_expired() == 0


async def test_whoever_came_in_by_an_expired_token_is_told_of(users: Users, clock: Clock) -> None:
    told: list[tuple[str, bytes | None, int | None]] = []
    users.when_revoked = lambda *revoked: told.append(revoked)
    alice = await users.add("alice", "pw")
    short, _ = await token_of(users, alice, HOUR), await token_of(users, alice, 2 * HOUR)
    clock.now_ns += HOUR_NS
    before = users.revocations
    await users.purge_expired()
    assert told == [("alice", hash_of_token(short), None)]
    assert users.revocations == before + 1, "whoever is being let in by it looks again"


async def test_a_token_lives_as_long_as_the_settings_say(path: Path, clock: Clock) -> None:
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST, token_lifetime=2 * HOUR) as users:
        alice = await users.add("alice", "pw")
        token = await users.issue_token(alice)
        assert token.expires_at_ns == clock.now_ns + 2 * HOUR_NS
        assert token.text not in repr(token)


async def test_a_crowd_that_comes_back_costs_no_hash_and_no_query(
    path: Path, users: Users, clock: Clock, hashes_checked: list[str]
) -> None:
    """5,000 clients with tokens, right after a start of the server."""
    alice = await users.add("alice", "pw")
    await users.close()
    tokens = [f"{number:043}" for number in range(5_000)]
    rows = [(hash_of_token(token), "alice", clock.now_ns, clock.now_ns + HOUR_NS) for token in tokens]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO token VALUES (?, ?, ?, ?)", rows)
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST) as later:
        asked = asked_of(later)
        for token in tokens:
            assert await later.verify("alice", token) == alice
        assert (asked, hashes_checked) == ([], [])


def push_out_the_one(users: Users) -> None:
    """The one token that is known is known no more, as if very many others had been issued."""
    known = users._tokens._known
    size_max, known._size_max = known._size_max, 1
    bob = User(name="bob", account_id=AccountId("A9"), role=Role.TRADER, created_at_ns=0)
    known.remember(b"another", bob, 2**62)
    known.forget(b"another")
    known._size_max = size_max
    assert len(known) == 0


async def test_a_made_up_token_costs_no_query_while_all_others_are_known(
    path: Path, users: Users, queries: list[str], clock: Clock
) -> None:
    """Strangers may bring them by the thousand, and nobody who logs in is to wait behind these."""
    alice = await users.add("alice", "pw")
    token = await token_of(users, alice, HOUR)
    queries.clear()
    assert await users.verify_token("x" * 43) is None
    assert queries == []
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST) as later:
        assert later._tokens._known.is_complete, "what a former process issued is known as well"
        assert await later.verify_token(token) == alice
    push_out_the_one(users)
    assert await users.verify_token("x" * 43) is None
    assert queries != []


async def test_a_token_that_was_pushed_out_of_memory_costs_one_query(users: Users, queries: list[str]) -> None:
    alice = await users.add("alice", "pw")
    token = await token_of(users, alice, HOUR)
    push_out_the_one(users)
    queries.clear()
    for _ in range(2):
        assert await users.verify_token(token) == alice
    assert [statement for statement in queries if statement != "BEGIN"] == queries[1:2]


async def test_a_token_that_is_known_costs_no_query_until_it_is_void(
    users: Users, queries: list[str], clock: Clock
) -> None:
    alice = await users.add("alice", "pw")
    by_time, by_logout = await token_of(users, alice, HOUR), await token_of(users, alice, 2 * HOUR)
    queries.clear()
    assert await users.verify_token(by_time) == await users.verify_token(by_logout) == alice
    assert queries == []
    clock.now_ns += HOUR_NS
    assert await users.verify_token(by_time) is None
    assert await users.verify_token(by_logout) == alice
    await users.revoke_token(by_logout)
    assert await users.verify_token(by_logout) is None


async def test_a_token_that_is_revoked_while_it_is_looked_up_lets_nobody_in(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the revocation must be neither believed nor remembered."""
    token = await token_of(users, await users.add("alice", "pw"), HOUR)
    push_out_the_one(users)
    find = users._tokens._find

    async def find_and_be_overtaken(token_hash: bytes) -> object:
        row = await find(token_hash)
        await users.revoke_token(token)
        return row

    monkeypatch.setattr(users._tokens, "_find", find_and_be_overtaken)
    assert await users.verify_token(token) is None
    assert len(users._tokens._known) == 0


async def test_a_login_from_before_a_change_gives_no_token(users: Users) -> None:
    alice = await users.add("alice", "pw")
    await users.change_password("alice", "new")
    with pytest.raises(LoginRevokedError, match="log in again"):
        await users.issue_token(alice)
    renewed = await users.find("alice")
    assert renewed is not None
    await users.issue_token(renewed)


async def test_revocations_are_told(users: Users) -> None:
    told: list[tuple[str, bool, int | None]] = []
    users.when_revoked = lambda name, token_hash, but: told.append((name, token_hash is None, but))
    alice = await users.add("alice", "pw")
    token = await token_of(users, alice, HOUR)
    assert await users.revoke_token(token) == "alice"
    assert await users.revoke_token(token) is None
    await users.change_own_password(alice, "new", connection=7)
    await users.change_password("alice", "newer")
    await users.set_role("alice", Role.ADMIN)
    assert told == [("alice", False, None), ("alice", True, 7), ("alice", True, None), ("alice", True, None)]


def test_known_tokens_are_bounded_and_the_longest_unseen_go() -> None:
    known = KnownTokens(size_max=2)
    alice = User(name="alice", account_id=AccountId("A1"), role=Role.TRADER, created_at_ns=0)
    for token_hash in (b"a", b"b"):
        known.remember(token_hash, alice, 100)
    assert known.find(b"a", 0) == alice
    known.is_complete = True
    known.remember(b"c", alice, 200)
    assert not known.is_complete
    assert [known.find(token_hash, 0) for token_hash in (b"a", b"b", b"c")] == [alice, None, alice]
    assert [known.find(token_hash, 100) for token_hash in (b"a", b"c")] == [None, alice]
    assert len(known) == 1
    known.forget_user("alice")
    known.forget_user("nobody")
    assert len(known) == 0


async def test_a_revoked_token_is_void(users: Users) -> None:
    alice = await users.add("alice", "pw")
    kept, revoked = await token_of(users, alice, HOUR), await token_of(users, alice, HOUR)
    assert await users.revoke_token(revoked)
    assert not await users.revoke_token(revoked)
    assert not await users.revoke_token("no token")
    assert await users.verify("alice", revoked) is None
    assert await users.verify("alice", kept) == alice


async def test_a_user_has_a_bounded_number_of_tokens(path: Path, users: Users, clock: Clock) -> None:
    """The oldest give way, also where the clock stands still; other users' stay."""
    alice, bob = await users.add("alice", "pw"), await users.add("bob", "pw")
    of_bob = await token_of(users, bob, HOUR)
    first = await token_of(users, alice, HOUR)
    clock.now_ns += 1
    later = [await token_of(users, alice, HOUR) for _ in range(TOKENS_PER_USER_MAX)]
    assert await users.verify_token(first) is None
    assert await users.verify_token(later[-1]) == alice
    assert await users.verify_token(await token_of(users, alice, HOUR)) == alice
    assert await users.verify_token(of_bob) == bob
    assert stored(path, "SELECT count(*) FROM token") == [(TOKENS_PER_USER_MAX + 1,)]


async def test_a_password_that_looks_like_a_token_works(users: Users) -> None:
    alice = await users.add("alice", "x" * 43)
    assert await users.verify("alice", "x" * 43) == alice


async def test_a_lifetime_is_above_zero(users: Users) -> None:
    alice = await users.add("alice", "pw")
    with pytest.raises(ValueError, match="above zero, not 0:00:00"):
        await token_of(users, alice, timedelta(0))


# Secrets


async def test_no_secret_is_stored_logged_or_told(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST) as users:
        alice = await users.add("alice", CANARY)
        token = await token_of(users, alice, HOUR)
        await users.verify("alice", CANARY)
        await users.verify("alice", token)
        with pytest.raises(UserExistsError) as refused:
            await users.add("alice", CANARY)
        told = caplog.text + repr(alice) + repr(users) + repr(refused.value)
    ((password_hash,),) = stored(path, "SELECT password_hash FROM user")
    for secret in (CANARY, token, str(password_hash)):
        assert secret not in told
    on_disk = content_of(tmp_path)
    assert str(password_hash).encode() in on_disk
    assert CANARY.encode() not in on_disk
    assert token.encode() not in on_disk


async def test_a_database_error_does_not_tell_the_hash(path: Path, users: Users) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON user BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(Exception, match="disk full") as failed:
        await users.add("alice", CANARY)
    assert "argon2" not in str(failed.value)
    assert await users.find("alice") is None


# Lives


async def test_users_and_tokens_outlive_the_process(path: Path, users: Users, clock: Clock) -> None:
    alice = await users.add("alice", "pw")
    token = await token_of(users, alice, HOUR)
    await users.close()
    async with await Users.open(path, clock_ns=clock, hashing=CHEAPEST) as later:
        assert await later.verify("alice", "pw") == alice
        assert await later.verify("alice", token) == alice


async def test_a_cancelled_login_does_no_harm_to_the_next(users: Users) -> None:
    """A client that hangs up in any moment of its login leaves the one database connection usable."""
    alice = await users.add("alice", "pw")
    for passes in range(30):
        login = asyncio.create_task(users.verify("alice", "pw"))
        for _ in range(passes):
            await asyncio.sleep(0)
        login.cancel()
        await asyncio.gather(login, return_exceptions=True)
        assert await users.verify("alice", "pw") == alice


def test_one_piece_of_work_outside_of_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "100 % users.db"
    added: User = run_with_users(path, lambda users: users.add("alice", "pw"))
    assert run_with_users(path, lambda users: users.list()) == (added,)
