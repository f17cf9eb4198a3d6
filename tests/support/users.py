"""A users database for one piece of work, outside of any event loop and without an exchange around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from exchange.server.identity.auth import Users

Result = TypeVar("Result")


def run_with_users(path: Path | str, work: Callable[[Users], Awaitable[Result]]) -> Result:
    """`run_with_users(folder.users_db, lambda users: users.add(name, password))`."""

    async def run() -> Result:
        async with await Users.open(path) as users:
            return await work(users)

    return asyncio.run(run())
