"""The users of a benchmark: a users database made once, with a token for each, so that no login waits for argon2."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson
from argon2 import Parameters, Type

from exchange.server.data_folder import DataFolder
from exchange.server.identity.auth import Users

LIFETIME: Final = timedelta(days=1)
NO_HASHING: Final = Parameters(
    type=Type.ID, version=0x13, salt_len=8, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)
"""As quick as argon2 gets: nobody logs in with these passwords, which nobody knows."""


class BenchUsers:
    """Users who log in by token; their accounts are opened by `--auto-open` at the first login."""

    def __init__(self, path: Path, count: int) -> None:
        """Make the database at `path`."""
        self._path = path
        self.logins: list[str] = asyncio.run(_made(path, count))
        """Each user's `req_login`."""

    def move_in(self, folder: Path) -> None:
        """Give a data folder that is about to begin these users."""
        data = DataFolder(folder)
        data.create()
        shutil.copyfile(self._path, data.users_db)


async def _made(path: Path, count: int) -> list[str]:
    async with await Users.open(path, hashing=NO_HASHING) as users:
        logins = []
        for number in range(count):
            user = await users.add(f"bench{number:03}", secrets.token_hex(16), account_id=f"B{number:03}")
            token = (await users.issue_token(user, LIFETIME)).text
            login = {"aid": "req_login", "bid": "qaexchange", "user_name": user.name, "password": token}
            logins.append(orjson.dumps(login).decode())
        return logins
