"""The images and the compose file, without a Docker engine: linted, and held to what the product promises."""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from app.settings import Settings, variables

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
ORCHESTRATOR = DOCKER / "orchestrator.Dockerfile"
WORKER = DOCKER / "worker.Dockerfile"
COMPOSE = DOCKER / "compose.yaml"
TOOLS = Path(sys.executable).parent

Instruction = tuple[str, str]

NOT_OURS = frozenset({"AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED", "PGPASSWORD"})
"""Variables that botocore and libpq read by themselves."""


def instructions(dockerfile: Path) -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def stages(dockerfile: Path) -> dict[str, list[Instruction]]:
    """Return each stage by its name, with what it inherits from the stage it starts from."""
    found: dict[str, list[Instruction]] = {}
    name = ""
    for instruction, rest in instructions(dockerfile):
        if instruction == "FROM":
            origin, _, name = rest.partition(" AS ")
            found[name] = list(found.get(origin, []))
        found.setdefault(name, []).append((instruction, rest))
    return found


def compose() -> Any:
    return YAML(typ="safe").load(COMPOSE)


def environment_of(service: str) -> dict[str, str | None]:
    return TypeAdapter(dict[str, str | None]).validate_python(compose()["services"][service]["environment"])


def every_image() -> list[Any]:
    return [
        pytest.param(steps, id=f"{dockerfile.stem}-{name}" if name else dockerfile.stem)
        for dockerfile in (ORCHESTRATOR, WORKER)
        for name, steps in stages(dockerfile).items()
        if any(instruction == "CMD" for instruction, _ in steps)
    ]


@pytest.mark.parametrize("dockerfile", [ORCHESTRATOR, WORKER], ids=lambda path: path.stem)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    done = subprocess.run([TOOLS / "hadolint", dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    done = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("steps", every_image())
class TestEveryImage:
    def test_does_not_run_as_root(self, steps: list[Instruction]) -> None:
        users = [rest for instruction, rest in steps if instruction == "USER"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])

    def test_says_how_its_health_is_checked(self, steps: list[Instruction]) -> None:
        assert [rest for instruction, rest in steps if instruction == "HEALTHCHECK"]

    def test_runs_without_a_shell_between_it_and_its_signals(self, steps: list[Instruction]) -> None:
        assert [rest[0] for instruction, rest in steps if instruction == "CMD"] == ["["]

    def test_carries_no_secret(self, steps: list[Instruction]) -> None:
        settings = " ".join(rest for instruction, rest in steps if instruction in {"ARG", "ENV"})
        assert not re.search(r"KEY|TOKEN|PASSWORD", settings)


class TestTheOrchestrator:
    def test_is_what_is_built_when_no_target_is_named(self) -> None:
        assert list(stages(ORCHESTRATOR))[-1] == "service"

    def test_every_file_it_copies_exists_and_is_sent_to_the_builder(self) -> None:
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        sent = [line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")]
        copied = [
            source.rstrip("/")
            for instruction, rest in instructions(ORCHESTRATOR)
            if instruction == "COPY"
            for source in shlex.split(rest)[:-1]
        ]
        assert sorted(set(copied)) == sorted(sent)
        assert [source for source in copied if not (ROOT / source).exists()] == []

    @pytest.mark.parametrize("private", [".env", ".git", ".venv", "var", "tests"])
    def test_nothing_private_is_sent_to_the_builder(self, private: str) -> None:
        sent = False
        for pattern in (ROOT / ".dockerignore").read_text().splitlines():
            if pattern and not pattern.startswith("#") and fnmatch(private, pattern.removeprefix("!")):
                sent = pattern.startswith("!")
        assert not sent

    def test_listens_on_the_port_of_the_service(self) -> None:
        port = Settings.model_fields["bind"].default.rpartition(":")[2]
        steps = stages(ORCHESTRATOR)["service"]
        assert ("EXPOSE", port) in steps
        assert any(f"ORCHESTRATOR_BIND=0.0.0.0:{port}" in rest for name, rest in steps if name == "ENV")
        assert any(f"127.0.0.1:{port}/healthz" in rest for name, rest in steps if name == "HEALTHCHECK")

    def test_keeps_its_database_in_a_volume(self) -> None:
        steps = stages(ORCHESTRATOR)["service"]
        assert ("VOLUME", "/data") in steps
        assert any(
            "ORCHESTRATOR_DATABASE_URL=sqlite:////data/" in rest for name, rest in steps if name == "ENV"
        )

    def test_sets_nothing_that_is_not_a_setting(self) -> None:
        given = " ".join(
            rest for instruction, rest in stages(ORCHESTRATOR)["service"] if instruction == "ENV"
        )
        assert set(re.findall(r"\b(ORCHESTRATOR_\w+)=", given)) <= set(variables())


class TestTheWorker:
    """What the original service promised of an instance."""

    def test_runs_code_server_4_96_4(self) -> None:
        assert ("ARG", "CODE_SERVER_VERSION=4.96.4") in instructions(WORKER)

    def test_has_node_22(self) -> None:
        assert instructions(WORKER)[0] == ("ARG", "BASE=node:22-bookworm-slim")

    def test_listens_on_port_8080_and_opens_tmp_bolty_worker(self) -> None:
        steps = dict(instructions(WORKER))
        port = Settings.model_fields["instance_port"].default
        assert steps["EXPOSE"] == f"{port}" == "8080"
        assert f'"0.0.0.0:{port}"' in steps["CMD"]
        assert steps["CMD"].endswith('"/tmp/bolty-worker"]')

    def test_is_checked_where_the_service_looks_and_where_no_look_counts_as_use(self) -> None:
        path = Settings.model_fields["readiness_path"].default
        assert f'8080{path}"]' in dict(instructions(WORKER))["HEALTHCHECK"]


class TestCompose:
    def test_every_variable_of_the_service_is_a_setting(self) -> None:
        assert set(environment_of("orchestrator")) - NOT_OURS <= set(variables())

    def test_every_port_is_published_on_loopback_only(self) -> None:
        ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
        assert ports == ["127.0.0.1:9092:9092"]

    def test_no_password_stands_in_the_url_of_the_database(self) -> None:
        assert "@" in (url := environment_of("orchestrator")["ORCHESTRATOR_DATABASE_URL"] or "")
        assert ":" not in url.partition("://")[2].partition("@")[0]

    def test_the_service_is_where_the_simulated_cloud_is(self) -> None:
        services = compose()["services"]
        assert services["orchestrator"]["network_mode"] == "service:cloud"
        cloud = " ".join(rest for name, rest in stages(ORCHESTRATOR)["simulator"] if name == "CMD")
        bind = environment_of("orchestrator")["AWS_ENDPOINT_URL"]
        assert bind is not None
        assert bind.removeprefix("http://") in cloud

    def test_the_service_waits_for_both_to_be_healthy(self) -> None:
        waits = compose()["services"]["orchestrator"]["depends_on"]
        assert {name: how["condition"] for name, how in waits.items()} == {
            "cloud": "service_healthy",
            "database": "service_healthy",
        }

    @pytest.mark.parametrize("service", ["cloud", "database", "orchestrator"])
    def test_no_service_can_gain_privileges(self, service: str) -> None:
        found = compose()["services"][service]
        assert found["cap_drop"] == ["ALL"]
        assert found["security_opt"] == ["no-new-privileges:true"]

    def test_every_stage_it_builds_exists(self) -> None:
        builds = [service["build"] for service in compose()["services"].values() if "build" in service]
        assert {build["target"] for build in builds} == {"simulator", "service"} <= set(stages(ORCHESTRATOR))
        assert {(DOCKER / build["context"] / build["dockerfile"]).resolve() for build in builds} == {
            ORCHESTRATOR
        }
