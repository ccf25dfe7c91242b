"""Settings: each is documented, bad values stop the start with a sentence, and combinations are looked at."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from webapp import checks as our_checks
from webapp.settings import env
from webapp.settings.database import database_settings
from webapp.settings.logs import JsonFormatter
from webapp.settings.queue import JobSettings
from webapp.settings.storage import storage_settings

# Read, but not ours to document: where programs are, and which settings Django takes.
NOT_OURS = {"PATH", "DJANGO_SETTINGS_MODULE"}


def names_read(root: Path) -> dict[str, object]:
    """Every environment variable that the site or a worker reads, with its default where that is a plain value."""
    found: dict[str, object] = {}
    for room in ("webapp", "workers"):
        for path in sorted((root / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    called = ast.unparse(node.func)
                    name = node.args[0].value
                    if re.fullmatch(r"env_\w+", called) or called in ("os.environ.get", "os.getenv"):
                        default = node.args[1] if len(node.args) > 1 else None
                        found.setdefault(name, default.value if isinstance(default, ast.Constant) else None)
    return {name: default for name, default in found.items() if name not in NOT_OURS}


def names_documented(root: Path) -> dict[str, str]:
    text = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| .+ \|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting is listed twice"
    return dict(rows)


def test_what_is_read_is_documented_and_the_other_way_round(project_root: Path) -> None:
    read = names_read(project_root)
    assert len(read) > 40
    assert set(read) == set(names_documented(project_root))


def test_documented_defaults_are_the_real_ones(project_root: Path) -> None:
    documented = names_documented(project_root)
    for name, default in names_read(project_root).items():
        if isinstance(default, bool):
            assert documented[name] == ("`on`" if default else "`off`"), name
        elif isinstance(default, int) or (isinstance(default, str) and default):
            assert documented[name] == f"`{default}`", name


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALLOW_GUESTS", "maybe", "ALLOW_GUESTS must be on or off"),
        ("MAX_UPLOAD_MB", "lots", "MAX_UPLOAD_MB must be a whole number"),
        ("MAX_UPLOAD_MB", "0", "MAX_UPLOAD_MB must be at least 1"),
        ("MAX_UPLOAD_MPX", "5000", "MAX_UPLOAD_MPX must be at most 1000"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of debug, info, warning, error"),
        ("EMAIL_VERIFICATION", "perhaps", "EMAIL_VERIFICATION must be one of"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL must start with postgresql://"),
        ("DATABASE_URL", "postgresql://localhost/", "DATABASE_URL must end with the database's name"),
    ],
)
def test_a_bad_value_stops_the_start(tmp_path: Path, project_root: Path, name: str, value: str, words: str) -> None:
    done = _start(project_root, tmp_path, **{name: value})
    assert done.returncode != 0
    assert words in done.stderr.strip().splitlines()[-1]


def test_behind_tls_cookies_are_secure_and_plain_http_is_redirected(tmp_path: Path, project_root: Path) -> None:
    script = (
        "import django; django.setup()\n"
        "from django.conf import settings as s\n"
        "from django.test import Client\n"
        "plain = Client().get('/healthz'), Client().get('/')\n"
        "tls = Client().get('/healthz', headers={'X-Forwarded-Proto': 'https'})\n"
        "import json\n"
        "print(json.dumps([s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, plain[0].status_code, plain[1].status_code,"
        " tls.headers['Strict-Transport-Security'], 'upgrade-insecure-requests' in"
        " tls.headers['Content-Security-Policy']]))\n"
    )
    environment = {"HTTPS": "1", "TRUSTED_PROXIES": "1", "ALLOWED_HOSTS": "testserver"}
    done = _start(project_root, tmp_path, script, **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True, 200, 301, "max-age=3600", True]


def test_several_processes_find_one_key(tmp_path: Path, project_root: Path) -> None:
    script = "from webapp.settings import SECRET_KEY; print(SECRET_KEY)"
    running = [_begin(project_root, tmp_path, script) for _ in range(4)]
    keys = {process.communicate(timeout=60)[0].strip() for process in running}
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.glob("secret_key*")] == ["secret_key"]


def test_a_database_url_is_taken_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:p%40ss@db.example.org:5433/re%20weave?sslmode=require")
    found = database_settings(tmp_path)
    assert (found["USER"], found["PASSWORD"], found["NAME"]) == ("ada", "p@ss", "re weave")
    assert (found["HOST"], found["PORT"], found["OPTIONS"]) == ("db.example.org", "5433", {"sslmode": "require"})


def test_a_bucket_takes_the_folders_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage_settings()["default"]["BACKEND"].endswith("FileSystemStorage")
    monkeypatch.setenv("S3_BUCKET", "photos")
    monkeypatch.setenv("S3_ENDPOINT_URL", "https://s3.example.org")
    found = storage_settings()["default"]
    assert found["BACKEND"] == "storages.backends.s3.S3Storage"
    assert (found["OPTIONS"]["bucket_name"], found["OPTIONS"]["default_acl"]) == ("photos", None)


def test_lists_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_LIST", " a, b ,,c ")
    assert env.env_list("A_LIST", []) == ["a", "b", "c"]
    monkeypatch.setenv("A_WORD", "Two")
    assert env.env_choice("A_WORD", "one", ("one", "two")) == "two"
    with pytest.raises(ImproperlyConfigured):
        env.env_choice("A_WORD", "one", ("one",))


def test_a_log_line_is_one_json_object() -> None:
    record = logging.makeLogRecord({"name": "webapp.test", "levelname": "INFO", "msg": "took %s", "args": ("2 s",)})
    record.job = "abc"
    line = JsonFormatter().format(record)
    event = json.loads(line)
    assert "\n" not in line
    assert (event["logger"], event["level"], event["message"], event["job"]) == (
        "webapp.test",
        "info",
        "took 2 s",
        "abc",
    )
    try:
        raise ValueError("no")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: no" in json.loads(JsonFormatter().format(record))["traceback"]


def test_our_own_settings_pass_every_check() -> None:
    assert [found for found in checks.run_checks() if str(found.id).startswith("reweave")] == []


@pytest.fixture
def jobs(settings: Settings) -> JobSettings:
    found = settings.JOBS
    assert isinstance(found, JobSettings)
    return found


def _ids(found: Iterator[checks.CheckMessage] | list[checks.CheckMessage]) -> list[str | None]:
    return [each.id for each in found if str(each.id).startswith("reweave")]


def test_checks_find_what_does_not_fit(settings: Settings, tmp_path: Path, jobs: JobSettings) -> None:
    from dataclasses import replace

    (tmp_path / "file").touch()
    s3 = {"BACKEND": "storages.backends.s3.S3Storage"}
    cases: dict[str, dict[str, object]] = {
        "reweave.E002": {"MEDIA_ROOT": tmp_path / "file" / "pictures"},
        "reweave.E003": {"SENDFILE_PREFIX": "protected"},
        "reweave.W001": {"SENDFILE_PREFIX": "/protected/", "STORAGES": {**settings.STORAGES, "default": s3}},
        "reweave.E005": {"SECRET_KEY": "short"},
        "reweave.W002": {"GUESTS_PER_HOUR": 0},
        "reweave.W003": {"ALLOWED_HOSTS": ["*"]},
        "reweave.E006": {"JOBS": replace(jobs, heartbeat=10, stale_after=15)},
    }
    for expected, values in cases.items():
        before = {name: getattr(settings, name) for name in values}
        for name, value in values.items():
            setattr(settings, name, value)
        found = _ids(checks.run_checks())
        for name, value in before.items():
            setattr(settings, name, value)
        assert expected in found, expected
    settings.ALLOW_GUESTS = False
    settings.GUESTS_PER_HOUR = 0
    assert _ids(checks.run_checks()) == []


def test_a_folder_without_the_right_to_write_is_found(tmp_path: Path) -> None:
    assert our_checks._can_hold_files(tmp_path / "not" / "there" / "yet")
    (tmp_path / "file").touch()
    assert not our_checks._can_hold_files(tmp_path / "file")
    assert not our_checks._can_hold_files(tmp_path / "file" / "below")


@pytest.mark.django_db
def test_mail_goes_to_files_without_a_server(tmp_path: Path, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    password = "a fine long password"
    form = {"email": "new@example.org", "username": "newcomer", "password1": password, "password2": password}
    assert Client().post("/accounts/signup/", form).status_code == 302
    (mail,) = (tmp_path / "mail").iterdir()
    text = mail.read_text(encoding="utf-8")
    assert "To: new@example.org" in text
    assert "/accounts/confirm-email/" in text


def _begin(root: Path, var: Path, script: str, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=root,
        env={**kept, "REWEAVE_VAR": str(var), "DJANGO_SETTINGS_MODULE": "webapp.settings", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _start(
    root: Path, var: Path, script: str = "import webapp.settings", **environment: str
) -> subprocess.CompletedProcess[str]:
    process = _begin(root, var, script, **environment)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
