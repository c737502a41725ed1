"""Settings come from the environment and have defaults that work on a laptop."""

import pytest
from pydantic import ValidationError

from server.settings import Limits, Settings


def test_the_defaults_need_nothing_else_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "HOST", "PORT"):
        monkeypatch.delenv(f"JINGWEI_{name}", raising=False)
    settings = Settings()
    assert settings.database_url == ""
    assert settings.redis_url == ""
    assert settings.host == "127.0.0.1"
    assert not settings.allow_unsafe


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINGWEI_DATABASE_URL", "sqlite:///other.gpkg")
    monkeypatch.setenv("JINGWEI_LIMIT_JSON_BYTES", "1000")
    settings = Settings()
    assert settings.database_url == "sqlite:///other.gpkg"
    assert settings.limits.json_bytes == 1_000


@pytest.mark.parametrize(
    "wrong", [{"port": 70_000}, {"workers": 0}, {"deployment": "a:b"}, {"deployment": ""}]
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_every_setting_says_what_it_is_for() -> None:
    for model in (Settings, Limits):
        for name, field in model.model_fields.items():
            assert field.description or name == "limits"
