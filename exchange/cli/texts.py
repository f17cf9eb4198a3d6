"""Every text that the trading commands show to people, in both languages. One table: whoever adds one adds both."""

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
LOGGED_IN: Final = Text("{user} 已登录 {url}，有效期至 {expires_at}", "{user} is logged in at {url} until {expires_at}")
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
ACCOUNT: Final = Text("资金", "Account")
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

# The live screen.
WATCHING: Final = Text("{user} @ {url}  版本 {version}  按 q 退出", "{user} at {url}  version {version}  q to quit")
CONNECTING: Final = Text("正在连接 {url} …", "connecting to {url} …")
WATCH_NEEDS_TERMINAL: Final = Text(
    "watch 需要终端；在管道中请用 --once", "watch needs a terminal; in a pipe use --once"
)


def word(name: str, language: Language) -> str:
    """A word of the wire in a language; one that is not in the table stands for itself."""
    text = WORDS.get(name)
    return name if text is None else text(language)
