"""Every text that the trading commands show to people, in both languages. One table: whoever adds one adds both.

Help, and mistakes on the command line itself, are in English: they are made before the language is known.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from exchange.gateway.notices import Language as Language


class Text(NamedTuple):
    """One text; `{name}` stands for a value."""

    zh: str
    en: str

    def __call__(self, language: Language, **values: object) -> str:
        """The text in a language, filled with the values."""
        return (self.zh if language == "zh" else self.en).format_map(values)


# Logins.
PASSWORD_FOR: Final = Text("{user} 的密码", "Password for {user}")
LOGGED_IN: Final = Text("{user} 已登录 {url}，有效期至 {until}", "{user} is logged in at {url} until {until}")
LOGGED_OUT: Final = Text("{user} 已从 {url} 退出", "{user} is logged out of {url}")
NOT_LOGGED_IN: Final = Text("尚未登录: 请先运行 `exchange login`", "nobody is logged in: run `exchange login` first")
LOGIN_EXPIRED: Final = Text(
    "{user} 在 {url} 的登录已失效: 请重新运行 `exchange login`",
    "the login of {user} at {url} has expired or was revoked: run `exchange login` again",
)

# Headings of tables.
ORDERS: Final = Text("委托", "Orders")
TRADES: Final = Text("成交", "Trades")
POSITIONS: Final = Text("持仓", "Positions")
QUOTES: Final = Text("行情", "Quotes")
BOOK: Final = Text("{instrument_id} 盘口", "Book of {instrument_id}")
NOTICES: Final = Text("通知", "Notices")

# Columns and facts.
ORDER_ID: Final = Text("委托号", "order")
TRADE_ID: Final = Text("成交号", "trade")
TIME: Final = Text("时间", "time")
INSTRUMENT: Final = Text("合约", "contract")
SIDE: Final = Text("买卖", "side")
EFFECT: Final = Text("开平", "effect")
PRICE: Final = Text("价格", "price")
LOTS: Final = Text("手数", "lots")
LEFT: Final = Text("未成交", "left")
STATUS: Final = Text("状态", "status")
MESSAGE: Final = Text("说明", "message")
COMMISSION: Final = Text("手续费", "commission")
LONG: Final = Text("多仓", "long")
SHORT: Final = Text("空仓", "short")
LONG_PRICE: Final = Text("多仓均价", "long at")
SHORT_PRICE: Final = Text("空仓均价", "short at")
LAST: Final = Text("最新价", "last")
BID: Final = Text("买价", "bid")
ASK: Final = Text("卖价", "ask")
VOLUME: Final = Text("成交量", "volume")
OPEN_INTEREST: Final = Text("持仓量", "OI")
FLOAT_PROFIT: Final = Text("浮动盈亏", "float profit")
POSITION_PROFIT: Final = Text("持仓盈亏", "position profit")
CLOSE_PROFIT: Final = Text("平仓盈亏", "close profit")
BALANCE: Final = Text("账户权益", "balance")
AVAILABLE: Final = Text("可用资金", "available")
MARGIN: Final = Text("保证金", "margin")
FROZEN_MARGIN: Final = Text("冻结保证金", "frozen margin")
RISK: Final = Text("风险度", "risk")
ORDER_COUNT: Final = Text("笔数", "orders")

# Words of the wire.
WORDS: Final[dict[str, Text]] = {
    "BUY": Text("买", "buy"),
    "SELL": Text("卖", "sell"),
    "OPEN": Text("开", "open"),
    "CLOSE": Text("平", "close"),
    "CLOSETODAY": Text("平今", "close today"),
    "PENDING": Text("待报", "pending"),
    "ALIVE": Text("未成交", "working"),
    "PARTIALLY_FILLED": Text("部分成交", "partly filled"),
    "FILLED": Text("全部成交", "filled"),
    "CANCELLED": Text("已撤单", "cancelled"),
    "REJECTED": Text("已拒绝", "refused"),
    "ANY": Text("市价", "market"),
}

# What was done.
ORDER_DONE: Final = Text(
    "{order_id}: {side}{effect} {instrument_id} {lots} 手，{status}，成交 {filled} 手",
    "{order_id}: {side} to {effect} {lots} of {instrument_id}, {status}, {filled} filled",
)
MORE: Final = Text("还有更多: --cursor {cursor}", "there are more: --cursor {cursor}")

# What went wrong between a command and the exchange.
NOT_REACHABLE: Final = Text(
    "{called} 没有应答 ({error}): 未执行任何操作。若交易所正在启动或停止，请稍后再试",
    "{called} does not answer ({error}): nothing was done. If it is starting or stopping, try again in a moment",
)
NOT_TRUSTED: Final = Text(
    "{called} 的证书不受信任 ({error}): 未执行任何操作。若证书是自制的，请用 `exchange login --ca FILE` 指定",
    "the certificate of {called} does not count ({error}): nothing was done. If it is a self-made one, name its file "
    "with `exchange login --ca FILE`",
)
NO_TLS: Final = Text(
    "{called} 不使用 TLS ({error}): 未执行任何操作。请改用 http://",
    "{called} does not speak TLS ({error}): nothing was done. Is it one for http://?",
)
NO_ANSWER: Final = Text("{called} 没有应答 ({error})", "{called} gave no answer ({error})")
OUTCOME_UNKNOWN: Final = Text(
    "请求已交给 {called}，但没有收到应答 ({error}): 可能已执行，也可能没有。{look}",
    "the request was handed to {called}, and no answer came ({error}): it may have been done or not. {look}",
)
OUTCOME_UNKNOWN_THERE: Final = Text("{called}: {told}。{look}", "{called}: {told}. {look}")
FAILED_THERE: Final = Text(
    "{called} 处理时出错: {told}。可能已执行，也可能没有。{look}",
    "{called} failed on it: {told}. It may have been done or not. {look}",
)
UNKNOWN_REQUEST: Final = Text(
    "{called} 不认识这个请求 (HTTP 状态 {status}): 它与本命令的版本不同，或者不是交易所",
    "{called} does not know this request (HTTP status {status}): it is of another version than this command, or no "
    "exchange",
)
NOT_TAKEN_NOW: Final = Text(
    "{called} 现在不受理: {told}。未执行任何操作", "{called} does not take it now: {told}. Nothing was done"
)
NOT_DONE: Final = Text(
    "{called} 没有执行 (HTTP 状态 {status}): {told}", "{called} did not do it (HTTP status {status}): {told}"
)
LOG_IN_AGAIN: Final = Text(
    "请重新登录；使用证书的交易所以 https:// 开头",
    "Log in again; the address of an exchange with a certificate begins with https://",
)
LOOK_AT_ORDERS: Final = Text(
    "再试之前请先用 `exchange orders` 查看", "Look before you try again, with `exchange orders`"
)
SAME_ID_AGAIN: Final = Text(
    "用 --id {order_id} 再次执行同一命令不会重复下单，并会告知结果",
    "The same command with --id {order_id} never does it twice, and tells what became of it",
)

# The live screen.
PICTURE: Final = Text("{user} @ {url}  版本 {version}", "{user} at {url}  version {version}")
WATCHING: Final = Text("{picture}  按 q 退出", "{picture}  q to quit")
CONNECTING: Final = Text("正在连接 {url} …", "connecting to {url} …")
WATCH_NEEDS_TERMINAL: Final = Text(
    "watch 需要终端；在管道中请用 --once", "watch needs a terminal; in a pipe use --once"
)


def word(name: str, language: Language) -> str:
    """A word of the wire in a language; one that is not in the table stands for itself."""
    text = WORDS.get(name)
    return name if text is None else text(language)
