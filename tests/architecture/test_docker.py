"""The container files, as far as a machine without an engine can check them; `make lint` runs hadolint besides."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKERFILES = ("web.Dockerfile", "worker.Dockerfile")
OURS = {"migrate", "web", "worker", "maintenance", "beat"}
SERVICES = OURS | {"redis", "postgres", "nginx"}
EXACT_TAG = re.compile(r":\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?$")
# In docker/env.example but read by compose itself, not by the studio.
FOR_COMPOSE = {"BIND", "PORT", "POSTGRES_PASSWORD", "TORCH_INDEX_URL"}


@pytest.fixture(scope="module")
def docker() -> Path:
    return Path(__file__).resolve().parents[2] / "docker"


@pytest.fixture(scope="module")
def services(docker: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((docker / "compose.yml").read_text())["services"]


def seconds(duration: str) -> float:
    """`90s` or `1m` in seconds."""
    match = re.fullmatch(r"(\d+)(s|m)", duration)
    assert match, duration
    return int(match[1]) * {"s": 1, "m": 60}[match[2]]


def names_in(text: str) -> set[str]:
    """Variables that a compose file takes from outside: ${NAME}, ${NAME:-…}, ${NAME:?…}."""
    return set(re.findall(r"\$\{([A-Z0-9_]+)", text))


def settings_names(root: Path) -> set[str]:
    """Every environment variable that the studio reads."""
    sources = (path for room in ("webapp", "workers") for path in (root / room).rglob("*.py"))
    found = (re.findall(r"\b(?:env_[a-z]+|environ\.get)\(\s*\"([A-Z0-9_]+)\"", path.read_text()) for path in sources)
    return {name for names in found for name in names}


def test_the_services_are_the_processes_of_the_studio(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == SERVICES


def test_every_service_runs_as_a_plain_user_without_privileges(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        user, group = service["user"].split(":")
        assert int(user) > 0, name
        assert int(group) > 0, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name


def test_everything_that_stays_up_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name == "migrate":
            assert service["restart"] == "no"
            continue
        check = service["healthcheck"]
        assert check["test"][0] == "CMD", name
        assert seconds(check["timeout"]) < seconds(check["interval"]), name
        assert service["restart"] == "unless-stopped", name


def test_nothing_starts_before_the_migrations_are_through(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS - {"migrate"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    for name in OURS:
        assert services[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
        assert services[name]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert services["nginx"]["depends_on"]["web"] == {"condition": "service_healthy"}


def test_a_worker_gets_more_time_to_stop_than_it_takes_to_hand_its_job_back(
    services: dict[str, dict[str, Any]],
) -> None:
    worker = services["worker"]
    assert seconds(worker["stop_grace_period"]) >= int(worker["environment"]["JOB_SHUTDOWN_GRACE_SECONDS"]) + 15


def test_the_web_process_gets_more_time_to_stop_than_its_requests(
    services: dict[str, dict[str, Any]], docker: Path
) -> None:
    graceful = re.search(r"WEB_SHUTDOWN_SECONDS=(\d+)", (docker / "web.Dockerfile").read_text())
    assert graceful
    assert seconds(services["web"]["stop_grace_period"]) > int(graceful[1]) + 5


def test_containers_run_the_processes_of_the_procfile(
    services: dict[str, dict[str, Any]], docker: Path, project_root: Path
) -> None:
    """The same applications, queues and pools, whatever supervises them."""
    procfile = dict(line.split(": ", 1) for line in (project_root / "Procfile").read_text().splitlines() if line)
    commands = {name: service.get("command", []) for name, service in services.items()}
    for name, dockerfile in (("web", "web.Dockerfile"), ("worker", "worker.Dockerfile")):
        *_, command = re.findall(r"^CMD (\[.+\])$", (docker / dockerfile).read_text(), flags=re.MULTILINE)
        commands[name] = json.loads(command)
    assert set(procfile) - {"redis"} == OURS - {"migrate"}
    for name in set(procfile) - {"redis"}:
        words = procfile[name].split(" -- ")[1].split()[2:]
        level = words.index("-l") + 1 if "-l" in words else None
        if level:
            words[level] = "info"
        assert commands[name] == words, name


def test_images_have_exact_tags(services: dict[str, dict[str, Any]], docker: Path) -> None:
    foreign = [service["image"] for service in services.values() if "build" not in service]
    for name in DOCKERFILES:
        lines = re.findall(r"^FROM (\S+)", (docker / name).read_text(), flags=re.MULTILINE)
        foreign += [image for image in lines if ":" in image]
    assert len(foreign) >= 5
    assert [image for image in foreign if not EXACT_TAG.search(image)] == []


@pytest.mark.parametrize("name", DOCKERFILES)
def test_our_images_end_as_a_plain_user_and_check_their_health(docker: Path, name: str) -> None:
    text = (docker / name).read_text()
    *_, last = re.findall(r"^USER (\S+)", text, flags=re.MULTILINE)
    assert last == "10001:10001"
    assert "HEALTHCHECK" in text


def test_what_the_images_copy_exists_and_is_in_the_build_context(docker: Path) -> None:
    root = docker.parent
    context = (root / ".dockerignore").read_text().splitlines()
    allowed = [Path(line[1:]) for line in context if line.startswith("!")]
    assert "*" in context
    for name in DOCKERFILES:
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", (docker / name).read_text(), flags=re.MULTILINE):
            for source in map(Path, sources.split()):
                assert (root / source).exists(), source
                assert any(source == path or source in path.parents or path in source.parents for path in allowed)


def test_the_web_image_has_no_torch_and_the_workers_image_has_both_targets(docker: Path) -> None:
    web, worker = ((docker / name).read_text() for name in DOCKERFILES)
    assert "requirements-web.txt" in web
    assert not re.search(r"requirements\.txt", web)
    assert not re.search(r"^torch\b", (docker.parent / "requirements-web.txt").read_text(), flags=re.MULTILINE)
    assert re.findall(r"^FROM worker AS (\S+)", worker, flags=re.MULTILINE) == ["cuda", "cpu"]
    cuda = yaml.safe_load((docker / "compose.cuda.yml").read_text())["services"]["worker"]
    assert cuda["build"]["target"] == "cuda"


def test_volumes_are_declared_and_shared_as_needed(docker: Path, services: dict[str, dict[str, Any]]) -> None:
    declared = set(yaml.safe_load((docker / "compose.yml").read_text())["volumes"])
    mounts = {name: [entry.split(":") for entry in service.get("volumes", [])] for name, service in services.items()}
    named = {parts[0] for entries in mounts.values() for parts in entries if not parts[0].startswith((".", "/"))}
    assert named == declared
    for name in ("web", "worker"):
        assert ["media", "/media"] in mounts[name]
    assert ["media", "/media", "ro"] in mounts["nginx"]
    for source in (parts[0] for entries in mounts.values() for parts in entries if parts[0].startswith(".")):
        assert (docker / source).is_file()


def test_the_studio_knows_every_variable_that_it_is_given(
    docker: Path, services: dict[str, dict[str, Any]], project_root: Path
) -> None:
    known = settings_names(project_root)
    documented = (project_root / "docs" / "settings.md").read_text()
    for name in OURS:
        for variable in services[name]["environment"]:
            assert variable in known, variable
            assert f"`{variable}`" in documented, variable


def test_the_example_of_the_environment_names_just_what_compose_asks_for(
    docker: Path, services: dict[str, dict[str, Any]]
) -> None:
    example = re.findall(r"^([A-Z0-9_]+)=", (docker / "env.example").read_text(), flags=re.MULTILINE)
    assert len(example) == len(set(example))
    assert set(example) == names_in((docker / "compose.yml").read_text())
    given = {name for service in OURS for name in services[service]["environment"]}
    assert set(example) - FOR_COMPOSE <= given


def test_nginx_serves_pictures_only_to_the_web_process_and_lets_large_photos_in(
    docker: Path, services: dict[str, dict[str, Any]]
) -> None:
    conf = (docker / "nginx.conf").read_text()
    prefix = services["web"]["environment"]["SENDFILE_PREFIX"]
    protected = re.search(rf"location {re.escape(prefix)} {{([^}}]*)}}", conf)
    assert protected
    assert "internal;" in protected[1]
    assert "alias /media/;" in protected[1]
    largest = re.search(r"client_max_body_size (\d+)m;", conf)
    default = re.search(r"MAX_UPLOAD_MB:-(\d+)", (docker / "compose.yml").read_text())
    assert largest
    assert default
    assert int(largest[1]) > int(default[1])
    socket = re.search(r"location /ws/ {([^}]*)}", conf)
    assert socket
    assert "proxy_set_header Upgrade $http_upgrade;" in socket[1]
    assert conf.count("{") == conf.count("}")


def broken_directives(conf: str) -> list[str]:
    """Lines of an nginx configuration that neither end a directive, nor open or close a block."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in conf.splitlines())
    return [line for line in lines if line and line[-1] not in ";{}"]


def test_nginx_accepts_its_configuration(docker: Path, tmp_path: Path) -> None:
    conf = (docker / "nginx.conf").read_text()
    assert broken_directives(conf) == []
    assert broken_directives(conf.replace("sendfile on;", "sendfile on")) == ["sendfile on"]
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx:
        # `-t` opens the temporary folders and the pid file; give them a place of this test.
        (tmp_path / "nginx.conf").write_text(conf.replace("/tmp/", f"{tmp_path}/"))
        done = subprocess.run([nginx, "-t", "-q", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def interpolated(text: str, environment: dict[str, str]) -> str:
    """The compose file with its variables replaced, by the rules of compose: `:-` default, `:?` required."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match[1], match[2], match[3]
        given = environment.get(name, "")
        assert given or kind != ":?", rest
        return given or rest or ""

    return re.sub(r"\$\{([A-Z0-9_]+)(?:(:-|:\?)([^}]*))?\}", value, text)


def test_compose_reads_the_files(docker: Path, tmp_path: Path) -> None:
    files = ["compose.yml", "compose.cuda.yml"]
    with pytest.raises(AssertionError, match="set SECRET_KEY"):
        interpolated((docker / files[0]).read_text(), {})
    secrets = {"SECRET_KEY": "k" * 50, "POSTGRES_PASSWORD": "p" * 24}
    ours = yaml.safe_load(interpolated((docker / files[0]).read_text(), secrets))["services"]
    assert ours["web"]["environment"]["DATABASE_URL"] == f"postgresql://reweave:{'p' * 24}@postgres:5432/reweave"
    assert ours["nginx"]["ports"] == ["127.0.0.1:8000:8080"]

    has_plugin = shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True)
    if has_plugin and has_plugin.returncode == 0:
        chosen = [word for name in files for word in ("-f", str(docker / name))]
        done = subprocess.run(
            ["docker", "compose", *chosen, "config", "--format", "json"],
            env={**os.environ, **secrets},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        theirs = json.loads(done.stdout)["services"]
        assert set(theirs) == SERVICES
        assert theirs["web"]["environment"]["DATABASE_URL"] == ours["web"]["environment"]["DATABASE_URL"]
