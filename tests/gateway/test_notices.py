"""One table of codes and texts: complete, unambiguous, and fitting the facts that the decider gives."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Final, get_args

import pytest

from exchange.domain.commands import Command, Deposit, RegisterInstrument, Withdraw
from exchange.domain.events import CommandRefused, Facts, OrderRefused
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, Money
from exchange.domain.words import TimeCondition
from exchange.gateway.notices import TEXTS, Code, Language, code_of, text_of
from tests.support.commands import (
    BUY,
    CLOSE,
    TRADER,
    buy,
    cancel,
    open_account,
    order,
    restore,
    sell,
    suspend,
)
from tests.support.market import TOY, terms
from tests.support.views import SmallExchange

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DOCUMENT = Path(__file__).parents[2] / "docs" / "notices.md"

REFUSED: dict[RejectReason, Command] = {
    RejectReason.UNKNOWN_ACCOUNT: cancel("o", "nobody"),
    RejectReason.DUPLICATE_ORDER_ID: buy("taken", 98),
    RejectReason.SUSPENDED: buy("o", 100, account="suspended"),
    RejectReason.UNKNOWN_INSTRUMENT: buy("o", 100, instrument=terms("SHFE.none")),
    RejectReason.ORDER_KIND: order("o", BUY, 100, 1, time=TimeCondition.GTC),
    RejectReason.ORDER_LOTS: buy("o", 100, 501),
    RejectReason.PRICE_TICK: buy("o", "100.5"),
    RejectReason.PRICE_BAND: buy("o", 151),
    RejectReason.CLOSABLE_LOTS: sell("o", 100, 2, effect=CLOSE),
    RejectReason.FUNDS: buy("o", 100, 500),
    RejectReason.UNKNOWN_ORDER: cancel("o"),
    RejectReason.ORDER_FINISHED: cancel("finished"),
    RejectReason.ACCOUNT_EXISTS: open_account(TRADER),
    RejectReason.AMOUNT: Deposit(account_id=AccountId(TRADER), amount=Money(-2_500_000)),
    RejectReason.WITHDRAWABLE: Withdraw(account_id=AccountId(TRADER), amount=Money(2_000_000_000)),
    RejectReason.ACCOUNT_SUSPENDED: suspend("suspended"),
    RejectReason.NOT_SUSPENDED: restore(),
    RejectReason.REASON_LENGTH: suspend(reason="x" * 201),
    RejectReason.INSTRUMENT_EXISTS: RegisterInstrument(terms=TOY),
    RejectReason.INSTRUMENT_TERMS: RegisterInstrument(terms=terms("TEST.t2", multiplier=0)),
}
"""A command for every refusal that the decider knows; a poisoned command is refused by its caller, without facts."""

WITHOUT_FACTS = {RejectReason.POISON}

OTHER_FACTS: dict[Code, Facts] = {
    Code.NOT_LOGGED_IN: {"aid": "insert_order"},
    Code.OTHER_USER: {"aid": "insert_order", "named": "eve"},
    Code.ROLE_MAY_NOT: {"aid": "insert_order", "role": "observer"},
    Code.ALREADY_LOGGED_IN: {"user": "tom"},
    Code.HISTORY_DIFFERS: {"version": 12, "head": 7},
    Code.UNKNOWN_SUBSCRIPTION: {"ins_list": "SHFE.none"},
    Code.CHARTS_NOT_SERVED: {"chart_id": "c"},
    Code.TOO_MANY_SUBSCRIPTIONS: {"count": 1001, "most": 1000},
    Code.NO_INSTRUMENT: {"instrument_id": "SHFE.none"},
    Code.MALFORMED_MESSAGE: {"detail": "no object"},
    Code.UNKNOWN_AID: {"aid": "hello"},
    Code.WRONG_FIELD: {"aid": "insert_order", "detail": "`volume` is missing"},
    Code.ANNOUNCEMENT: {"text": "closing early"},
}
"""What the gateway gives to those of its own notices that name something; to all others it gives an order's id, or
nothing."""


def refusal(reason: RejectReason) -> OrderRefused | CommandRefused:
    """What the decider really says."""
    exchange = SmallExchange(RegisterInstrument(terms=TOY), open_account(TRADER, 1000))
    exchange.run(buy("taken", 99), buy("finished", 99), cancel("finished"))
    exchange.run(open_account("suspended"), suspend("suspended"))
    (event,) = exchange.run(REFUSED[reason])
    assert isinstance(event, OrderRefused | CommandRefused)
    assert event.reason is reason
    return event


def named(code: Code, language: Language) -> set[str]:
    """The facts that a text names."""
    text = getattr(TEXTS[code], language)
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_code_has_texts() -> None:
    assert set(TEXTS) == set(Code)
    assert all(texts.zh and texts.en for texts in TEXTS.values())


def test_every_number_is_used_once() -> None:
    """An enumeration takes the same number twice without a word, as another name of the first."""
    assert len(Code.__members__) == len({code.value for code in Code.__members__.values()})
    assert [*Code] == sorted(Code)


def test_every_refusal_has_a_code_and_a_case_here() -> None:
    assert {code_of(reason) for reason in RejectReason} == {Code[reason.name] for reason in RejectReason}
    assert set(REFUSED) | WITHOUT_FACTS == set(RejectReason)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", REFUSED)
def test_the_text_of_a_refusal_fits_the_facts_of_the_decider(reason: RejectReason, language: Language) -> None:
    facts = refusal(reason).facts
    text = text_of(code_of(reason), language, facts)
    assert named(code_of(reason), language) == set(facts), "a text tells all that is known"
    assert "{" not in text
    assert "000000" not in text, "money is told in yuan"


@pytest.mark.parametrize("code", [code for code in Code if code.name not in RejectReason.__members__])
def test_the_texts_of_the_gateway_fit_its_facts(code: Code) -> None:
    facts = OTHER_FACTS.get(code, {})
    for language in LANGUAGES:
        assert named(code, language) == set(facts)
        text = text_of(code, language, facts)
        assert all(str(fact) in text for fact in facts.values())


def test_money_is_told_in_yuan() -> None:
    facts = refusal(RejectReason.FUNDS).facts
    assert text_of(Code.FUNDS, "zh", facts) == "订单提交失败: 可用资金不足，需要 5000，可用 990.1"
    assert text_of(Code.FUNDS, "en", facts) == "Order refused: not enough funds, 5000 needed, 990.1 available"
    assert text_of(Code.AMOUNT, "en", refusal(RejectReason.AMOUNT).facts).startswith("The amount -2.5 must be above 0")


def test_braces_in_a_fact_are_only_text() -> None:
    assert text_of(Code.UNKNOWN_ORDER, "en", {"order_id": "{status}"}) == "Not cancelled: there is no order {status}"


def test_a_fact_too_many_does_no_harm() -> None:
    assert text_of(Code.LOGIN_OK, "en", {"user": "tom"}) == "Logged in"


def test_the_document_shows_the_table() -> None:
    rows = re.findall(r"^\| (\d{4}) \| (.+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [(str(int(code)), TEXTS[code].zh, TEXTS[code].en) for code in Code]
    assert rows == wanted, "docs/notices.md must have one row `| code | zh | en |` per code, in order of the codes"
