"""What the log says a client must see: views refolded from the data folder, beside the server or after it.

Nothing of the running server is asked: its log is read as an auditor would.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import orjson

from eventstore.sqlite_reader import open_reader
from exchange.domain.values import AccountId, InstrumentId
from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.guide import GuideDialect
from exchange.server.data_folder import DataFolder
from exchange.server.recovery import decode_events
from projections.fold import Projections
from projections.merge_patch import difference, merge_patch, same_json
from projections.user_view import BEFORE_ALL
from tests.support.diff_client import Mirror, Tree

DIALECT = GuideDialect("zh")


def account_ids(folder: Path) -> dict[str, AccountId]:
    """The account behind each name."""
    uri = DataFolder(folder).users_db.as_uri() + "?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as users:
        return dict(users.execute("SELECT name, account_id FROM user"))


def head_of(folder: Path) -> int:
    """The last log_seq of the log."""
    with closing(open_reader(DataFolder(folder).log_db)) as log:
        return log.head.log_seq


def views_at(
    folder: Path, user: str, versions: Iterable[int], ins_list: str = "", dialect: Dialect = DIALECT
) -> dict[int, Tree]:
    """The server's view for one user at each of the versions, as the wire gives it, with the quotes subscribed to.

    Fails where a version is not the end of an entry of the log.
    """
    wanted = set(versions)
    account_id = account_ids(folder)[user]
    views: dict[int, Tree] = {}
    projections = Projections()
    with closing(open_reader(DataFolder(folder).log_db)) as log:
        for entry in log.read(until=max(wanted, default=0)):
            projections.apply(entry.first_log_seq, decode_events(entry))
            if projections.version in wanted:
                views[projections.version] = _worded(projections, account_id, user, ins_list, dialect)
    assert views.keys() == wanted, f"no entry of the log ends at {sorted(wanted - views.keys())}"
    return views


def _worded(projections: Projections, account_id: AccountId, user: str, ins_list: str, dialect: Dialect) -> Tree:
    view: Tree = {}
    for patch in dialect.word(projections.user(account_id).changes(BEFORE_ALL), user):
        view = merge_patch(view, patch)
    if ins_list:
        quotes = projections.market.quotes
        names = map(InstrumentId, ins_list.split(","))
        view |= {"ins_list": ins_list, "quotes": {name: dialect.word_quote(quotes[name], BEFORE_ALL) for name in names}}
    tree: Tree = orjson.loads(orjson.dumps(view))
    return tree


def check_mirror(mirror: Mirror, folder: Path) -> None:
    """The mirror equals the server's view at its version."""
    assert mirror.version is not None, "the mirror never saw a login"
    check_pictures([(mirror.version, mirror.tree)], mirror.user, folder)


def check_pictures(
    pictures: Iterable[tuple[int, Tree]],
    user: str,
    folder: Path,
    *,
    same: Callable[[Tree, Tree], bool] = same_json,
    dialect: Dialect = DIALECT,
) -> None:
    """Every (version, client's tree) is the same as the server's view for this user at this version."""
    by_ins_list: dict[str, list[tuple[int, Tree]]] = {}
    for version, tree in pictures:
        by_ins_list.setdefault(tree.get("ins_list", ""), []).append((version, tree))
    assert by_ins_list, f"there is no picture of {user}'s to be checked"
    for ins_list, shown in by_ins_list.items():
        views = views_at(folder, user, {version for version, _ in shown}, ins_list, dialect)
        for version, tree in shown:
            mirror, view = _of_the_view(tree), _of_the_view(views[version])
            assert same(mirror, view), f"{user}'s mirror is wrong at {version}, it lacks {difference(mirror, view)}"


def _of_the_view(tree: Tree) -> Tree:
    """Without what belongs to the connection: notices, and the empty remains of a subscription that ended."""
    return {key: value for key, value in tree.items() if key != "notify" and value not in ("", {})}
