"""What may be set, from where, and what is said about it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from eventstore.model import Durability
from exchange.server.settings import Settings, SettingsError
from exchange.server.settings_reference import settings_reference

REFERENCE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EXCHANGE_{name.upper()}", raising=False)


def test_without_anything_given_the_server_is_safe() -> None:
    settings = Settings.load()
    assert (settings.host, settings.port, settings.durability) == ("127.0.0.1", 8000, Durability.FSYNC)
    assert settings.auto_open is None
    assert settings.warnings() == ()


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATA": "/srv/exchange",
        "PORT": "9000",
        "DURABILITY": "os",
        "DEMO": "true",
        "AUTO_OPEN": "1000000.5",
        "ORIGINS": "https://a.example, https://b.example,",
    }.items():
        monkeypatch.setenv(f"EXCHANGE_{name}", value)
    settings = Settings.load()
    assert settings.data == Path("/srv/exchange")
    assert settings.port == 9000
    assert settings.durability is Durability.OS
    assert settings.demo
    assert settings.auto_open == Decimal("1000000.5")
    assert settings.origins == {"https://a.example", "https://b.example"}


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_PORT", "9000")
    assert Settings.load(port=9001).port == 9001
    assert Settings.load(port=None).port == 9000


def test_other_variables_of_the_prefix_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests have some of their own."""
    monkeypatch.setenv("EXCHANGE_TEST_DATA", "/somewhere")
    assert Settings.load() == Settings.load()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"port": 70_000}, r"port \(EXCHANGE_PORT\): .* 65535, not 70000"),
        ({"port": -1}, r"port \(EXCHANGE_PORT\): .* 0, not -1"),
        ({"port": "x"}, r"port .* valid integer.*, not 'x'"),
        ({"host": ""}, r"host \(EXCHANGE_HOST\)"),
        ({"durability": "fsnyc"}, r"'fsync', 'os' or 'memory', not 'fsnyc'"),
        ({"language": "fr"}, r"'zh' or 'en', not 'fr'"),
        ({"auto_open": "0"}, r"a deposit is above 0, not '0'"),
        ({"auto_open": "-5"}, r"a deposit is above 0, not '-5'"),
        ({"auto_open": "NaN"}, r"auto_open .* finite"),
        ({"auto_open": "0.0000001"}, r"more decimals than the 6 that are kept"),
        ({"auto_open": "1e13"}, r"beyond the limit of 1000000000000"),
        ({"ping_interval": "nan"}, r"ping_interval"),
        ({"ping_interval": "inf"}, r"ping_interval"),
        ({"peek_timeout": 0}, r"peek_timeout"),
        ({"mark_interval": 0}, r"mark_interval"),
        ({"max_message_bytes": 100}, r"max_message_bytes"),
        ({"commands_max": 0}, r"commands_max"),
        ({"commands_max": 1024}, r"cancel_reserve is a part of commands_max: 1024 of 1024"),
        ({"tls_cert": "cert.pem"}, r"tls_cert and tls_key go together"),
        ({"tls_key": "key.pem"}, r"tls_cert and tls_key go together"),
        ({"prot": 8000}, r"prot: there is no such setting"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name_and_value(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        Settings.load(**given)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(port=-1, language="fr")
    assert len(str(refused.value).splitlines()) == 2


def test_settings_do_not_change_while_the_server_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().port = 9000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"durability": "os"}, ["'os', a power cut loses"]),
        ({"durability": "memory"}, ["'memory', a crash loses"]),
        ({"host": "0.0.0.0", "insecure_plain": True}, ["passwords travel unencrypted to 0.0.0.0"]),
        ({"host": "0.0.0.0", "tls_cert": "c.pem", "tls_key": "k.pem"}, []),
        (
            {"host": "::", "insecure_plain": True, "auto_open": 1, "demo": True},
            ["passwords travel", "auto_open gives", "demo's users"],
        ),
        ({"host": "localhost", "auto_open": 1, "demo": True}, []),
        ({"host": "::1", "insecure_plain": True}, []),
    ],
)
def test_unsafe_settings_say_so(given: dict[str, object], said: list[str]) -> None:
    warnings = Settings.load(**given).warnings()
    assert len(warnings) == len(said)
    for warning, words in zip(warnings, said, strict=True):
        assert warning.startswith("unsafe: ")
        assert words in warning


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "exchange.example", "::ffff:127.0.0.1"])
def test_passwords_travel_in_plain_text_only_where_somebody_says_so(host: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(host=host)
    for words in (host, "tls_cert and tls_key", "listen on 127.0.0.1", "--insecure-plain"):
        assert words in str(refused.value)
    assert Settings.load(host=host, insecure_plain=True).host == host
    assert Settings.load(host=host, tls_cert="c.pem", tls_key="k.pem").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_a_loopback_address_plain_text_stays_within_the_machine(host: str) -> None:
    assert Settings.load(host=host).warnings() == ()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert (Settings.model_fields[name].description or "").endswith(".")


@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
)
def test_every_number_is_bounded_on_both_sides(name: str) -> None:
    setting = Settings.model_json_schema()["properties"][name]
    assert setting["minimum"] <= setting["default"] <= setting["maximum"]


def test_the_reference_is_up_to_date() -> None:
    """Else: `python -m exchange.server.settings_reference > docs/settings.md`."""
    assert REFERENCE.read_text(encoding="utf-8") == settings_reference()


def test_the_reference_tells_limits_and_choices() -> None:
    text = settings_reference()
    assert "Default `8000`; from `0` to `65535`." in text
    assert "Default `fsync`; one of `fsync`, `os`, `memory`." in text
    assert "Default `false`." in text
    assert "Default none." in text
