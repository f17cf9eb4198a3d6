"""Every notice that a client may see: its number, and its text in both languages.

One table, each number used once; `docs/notices.md` shows it. Numbers are part of the protocol: a number that was given
out keeps its meaning for ever. The texts are filled with the facts of the case, amounts and prices in yuan.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Literal, NamedTuple

from exchange.domain.rejections import RejectReason
from exchange.domain.values import decimal_text

Language = Literal["zh", "en"]


class Code(IntEnum):
    """The number of a notice."""

    LOGIN_OK = 1000
    WRONG_LOGIN = 1001
    NOT_LOGGED_IN = 1002
    OTHER_USER = 1003
    ALREADY_LOGGED_IN = 1004
    PASSWORD_CHANGED = 1005
    ROLE_MAY_NOT = 1006
    TOO_MANY_ATTEMPTS = 1010
    HISTORY_DIFFERS = 1011
    TOO_MANY_CONNECTIONS = 1012

    FUNDS = 2001
    UNKNOWN_INSTRUMENT = 2002
    # 2003 is kept for an order outside the market's hours.
    ORDER_KIND = 2004
    ORDER_LOTS = 2005
    PRICE_TICK = 2006
    PRICE_BAND = 2007
    CLOSABLE_LOTS = 2008
    # 2009 and 2010 are kept for the position limit and for trades with oneself.
    DUPLICATE_ORDER_ID = 2011
    SUSPENDED = 2012

    UNKNOWN_ORDER = 2101
    ORDER_FINISHED = 2102

    UNKNOWN_ACCOUNT = 2201
    ACCOUNT_EXISTS = 2202
    AMOUNT = 2203
    WITHDRAWABLE = 2204
    ACCOUNT_SUSPENDED = 2205
    NOT_SUSPENDED = 2206
    REASON_LENGTH = 2207

    INSTRUMENT_EXISTS = 2301
    INSTRUMENT_TERMS = 2302

    POISON = 2900

    UNKNOWN_SUBSCRIPTION = 3001
    CHARTS_NOT_SERVED = 3002
    TOO_MANY_SUBSCRIPTIONS = 3003
    NO_INSTRUMENT = 3004

    MALFORMED_MESSAGE = 4001
    UNKNOWN_AID = 4002
    WRONG_FIELD = 4003

    BUSY = 5001
    READ_ONLY = 5002
    STORAGE_FULL = 5003
    OUTCOME_UNKNOWN = 5004
    SHUTTING_DOWN = 5005

    ANNOUNCEMENT = 6000


class Answered(NamedTuple):
    """Which message of an order a notice answers, so that its sender need not guess."""

    aid: str
    order_id: str


class Texts(NamedTuple):
    """A notice in every language; `{name}` stands for a fact."""

    zh: str
    en: str


TEXTS: Final[dict[Code, Texts]] = {
    Code.LOGIN_OK: Texts("登录成功", "Logged in"),
    Code.WRONG_LOGIN: Texts("用户名或密码错误", "Wrong user name or password"),
    Code.NOT_LOGGED_IN: Texts("尚未登录，不能处理 {aid}", "Log in before sending {aid}"),
    Code.OTHER_USER: Texts(
        "{aid} 中的 {named} 不是当前登录的用户", "{aid} names {named}, who is not logged in on this connection"
    ),
    Code.ALREADY_LOGGED_IN: Texts("本连接已由用户 {user} 登录", "User {user} is logged in on this connection already"),
    Code.PASSWORD_CHANGED: Texts("密码已修改", "The password was changed"),
    Code.ROLE_MAY_NOT: Texts("角色 {role} 无权使用 {aid}", "{aid} is not for users of the role {role}"),
    Code.TOO_MANY_ATTEMPTS: Texts("尝试次数过多，请稍后再试", "Too many attempts, wait before you try again"),
    Code.HISTORY_DIFFERS: Texts(
        "客户端的版本 {version} 不在当前日志中（当前版本 {head}），历史已丢失或被替换，将重新发送全部数据",
        "Your version {version} is not in this log, which ends at {head}: history was lost or replaced; everything is "
        "sent anew",
    ),
    Code.TOO_MANY_CONNECTIONS: Texts(
        "该用户的连接数已达上限，请先关闭其他连接",
        "This user has all the connections that one user may have: close one of them first",
    ),
    Code.FUNDS: Texts(
        "订单提交失败: 可用资金不足，需要 {needed}，可用 {available}",
        "Order refused: not enough funds, {needed} needed, {available} available",
    ),
    Code.UNKNOWN_INSTRUMENT: Texts(
        "订单提交失败: 合约 {instrument_id} 不存在", "Order refused: there is no {instrument_id}"
    ),
    Code.ORDER_KIND: Texts(
        "订单提交失败: 不支持的指令组合 {price_type}/{time_condition}/{volume_condition}；"
        "限价单可用 GFD 或 IOC，市价单 (ANY) 只用 IOC 且须合约允许",
        "Order refused: {price_type}/{time_condition}/{volume_condition} is not taken; a limit order is GFD or IOC, "
        "a market order (ANY) is IOC, where the contract takes any",
    ),
    Code.ORDER_LOTS: Texts(
        "订单提交失败: 手数 {lots} 超出范围，每笔 1 至 {lots_max} 手",
        "Order refused: {lots} lots, where an order has 1 to {lots_max}",
    ),
    Code.PRICE_TICK: Texts(
        "订单提交失败: 价格 {price} 不是最小变动价位 {price_tick} 的整数倍",
        "Order refused: the price {price} is not a multiple of the tick {price_tick}",
    ),
    Code.PRICE_BAND: Texts(
        "订单提交失败: 价格 {price} 超出涨跌停板 {lower_limit} 至 {upper_limit}",
        "Order refused: the price {price} is outside the band from {lower_limit} to {upper_limit}",
    ),
    Code.CLOSABLE_LOTS: Texts(
        "订单提交失败: {effect} 手数 {lots} 超过可平手数 {closable}",
        "Order refused: {effect} of {lots} lots, where {closable} can be closed",
    ),
    Code.DUPLICATE_ORDER_ID: Texts(
        "订单提交失败: 订单号 {order_id} 已被另一订单使用", "Order refused: the id {order_id} belongs to another order"
    ),
    Code.SUSPENDED: Texts("订单提交失败: 账户已被暂停交易", "Order refused: the account is suspended"),
    Code.UNKNOWN_ORDER: Texts("撤单失败: 订单 {order_id} 不存在", "Not cancelled: there is no order {order_id}"),
    Code.ORDER_FINISHED: Texts(
        "撤单失败: 订单 {order_id} 已结束（{status}）", "Not cancelled: order {order_id} is finished ({status})"
    ),
    Code.UNKNOWN_ACCOUNT: Texts("账户不存在", "There is no such account"),
    Code.ACCOUNT_EXISTS: Texts("账户已存在", "The account exists already"),
    Code.AMOUNT: Texts(
        "金额 {amount} 无效，须大于 0 且不超过 {amount_max}",
        "The amount {amount} must be above 0 and at most {amount_max}",
    ),
    Code.WITHDRAWABLE: Texts(
        "出金失败: 金额 {amount} 超过可用资金 {available}",
        "Not withdrawn: {amount} is more than the {available} available",
    ),
    Code.ACCOUNT_SUSPENDED: Texts("账户已被暂停", "The account is suspended"),
    Code.NOT_SUSPENDED: Texts("账户未被暂停", "The account is not suspended"),
    Code.REASON_LENGTH: Texts(
        "原因有 {length} 个字符，最多 {length_max} 个",
        "The reason has {length} characters, where at most {length_max} are kept",
    ),
    Code.INSTRUMENT_EXISTS: Texts("合约已存在", "The instrument is listed already"),
    Code.INSTRUMENT_TERMS: Texts("合约参数 {term} 无效", "The instrument's {term} makes no sense"),
    Code.POISON: Texts(
        "处理请求时交易所内部出错，请求未执行", "The exchange failed on this request; nothing of it was done"
    ),
    Code.UNKNOWN_SUBSCRIPTION: Texts("订阅的合约不存在: {ins_list}", "Unknown instruments are left out: {ins_list}"),
    Code.CHARTS_NOT_SERVED: Texts("暂不提供图表 {chart_id} 的数据", "Chart {chart_id}: bars are not served yet"),
    Code.TOO_MANY_SUBSCRIPTIONS: Texts(
        "订阅了 {count} 个合约，最多 {most} 个，订阅未改变",
        "{count} instruments, where at most {most} can be subscribed; the subscription was not changed",
    ),
    Code.NO_INSTRUMENT: Texts("合约 {instrument_id} 不存在", "There is no {instrument_id}"),
    Code.MALFORMED_MESSAGE: Texts("无法识别的消息: {detail}", "The message cannot be read: {detail}"),
    Code.UNKNOWN_AID: Texts("未知的消息类型 {aid}", "There is no message {aid}"),
    Code.WRONG_FIELD: Texts("消息 {aid} 有误: {detail}", "The message {aid} is wrong: {detail}"),
    Code.BUSY: Texts(
        "系统繁忙，请求未受理，请稍后用同一编号重试",
        "The exchange is busy and did not take this; try again with the same id",
    ),
    Code.READ_ONLY: Texts("交易所当前只读，请求未受理", "The exchange only reads now and did not take this"),
    Code.STORAGE_FULL: Texts("存储空间已满，请求未受理", "Storage is full; this was not taken"),
    Code.OUTCOME_UNKNOWN: Texts(
        "请求的结果未知，请重新连接后查询", "The outcome of this is unknown: connect again and look"
    ),
    Code.SHUTTING_DOWN: Texts(
        "交易所正在关闭，请求未受理，请稍后重新连接",
        "The exchange is shutting down and did not take this; connect again soon",
    ),
    Code.ANNOUNCEMENT: Texts("{text}", "{text}"),
}

_CODES: Final = {reason: Code[reason.name] for reason in RejectReason}
_MONEY_FACTS: Final = frozenset(
    {"amount", "amount_max", "available", "lower_limit", "needed", "price", "price_tick", "upper_limit"}
)
"""Facts that are amounts or prices, in 1e-6 yuan."""


def code_of(reason: RejectReason) -> Code:
    """The number under which a refusal is told; it has the reason's name."""
    return _CODES[reason]


def text_of(code: Code, language: Language, facts: Mapping[str, int | str]) -> str:
    """The text of a notice. The facts must be those that the text names; more do no harm."""
    texts = TEXTS[code]
    template = texts.zh if language == "zh" else texts.en
    return template.format_map(facts_in_yuan(facts))


def facts_in_yuan(facts: Mapping[str, int | str]) -> dict[str, int | str]:
    """The facts for whoever computes with them: amounts and prices as decimal texts in yuan, the others as they are."""
    return {name: _in_words(name, fact) for name, fact in facts.items()}


def _in_words(name: str, fact: int | str) -> int | str:
    return decimal_text(fact) if name in _MONEY_FACTS and isinstance(fact, int) else fact
