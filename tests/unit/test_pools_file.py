"""The file with several pools: what it says, what it leaves out, and how its faults are told."""

import os
from pathlib import Path

import pytest

from app.domain.errors import SettingsInvalid
from app.domain.model import DEFAULT_POOL, PoolName
from app.settings import PoolSettings, Settings, load_settings
from app.settings.pools import MOST_POOLS

FILE = "pools.toml"
DEFAULT = '[pools.default]\ngroup = "vscode-asg"\n'
GPU = PoolName("gpu")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("ORCHESTRATOR_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_POOLS_FILE", FILE)


def loaded(text: str | bytes) -> Settings:
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings()


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        loaded(text)
    lines = caught.value.detail.splitlines()
    assert all(line.startswith("ORCHESTRATOR_POOLS_FILE=pools.toml: ") for line in lines)
    return [line.removeprefix("ORCHESTRATOR_POOLS_FILE=pools.toml: ") for line in lines]


# What it says


def test_without_a_file_there_is_one_pool_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_POOLS_FILE")
    monkeypatch.setenv("ORCHESTRATOR_ASG_NAME", "mine")
    monkeypatch.setenv("ORCHESTRATOR_BUFFER", "7")

    (pool,) = load_settings().pools.values()

    assert (pool.name, pool.group, pool.buffer, pool.file) == (DEFAULT_POOL, "mine", 7, None)


def test_what_a_pool_leaves_out_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "ORCHESTRATOR_BUFFER": "7",
        "ORCHESTRATOR_ADDRESS": "private",
        "ORCHESTRATOR_INSTANCE_PORT": "8443",
        "ORCHESTRATOR_READINESS": "tcp",
        "ORCHESTRATOR_READINESS_PATH": "/ready",
        "ORCHESTRATOR_BOOT_TIMEOUT": "60",
    }.items():
        monkeypatch.setenv(name, value)

    assert loaded(DEFAULT).pools[DEFAULT_POOL] == PoolSettings(
        name=DEFAULT_POOL,
        group="vscode-asg",
        region="eu-west-1",
        buffer=7,
        address="private",
        port=8443,
        readiness="tcp",
        readiness_path="/ready",
        boot_timeout=60,
        file=FILE,
    )


def test_what_a_pool_says_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUFFER", "7")
    gpu = """
        [pools.gpu]
        group = "gpu-asg"
        region = "eu-central-1"
        buffer = 0
        address = "private"
        port = 8443
        readiness = "off"
        readiness_path = "/"
        boot_timeout = 900
    """

    assert loaded(DEFAULT + gpu).pools[GPU] == PoolSettings(
        name=GPU,
        group="gpu-asg",
        region="eu-central-1",
        buffer=0,
        address="private",
        port=8443,
        readiness="off",
        readiness_path="/",
        boot_timeout=900,
        file=FILE,
    )


def test_groups_of_one_name_in_two_regions_are_two_groups() -> None:
    settings = loaded(DEFAULT + '[pools.far]\ngroup = "vscode-asg"\nregion = "eu-west-1"\n')

    assert set(settings.pools) == {DEFAULT_POOL, "far"}


def test_a_file_as_windows_writes_it_can_be_read() -> None:
    assert set(loaded(b"\xef\xbb\xbf" + DEFAULT.replace("\n", "\r\n").encode()).pools) == {DEFAULT_POOL}


def test_a_group_in_the_environment_that_no_pool_has_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ASG_NAME", "another-asg")

    assert loaded(DEFAULT).warnings == (
        (
            "ORCHESTRATOR_ASG_NAME=another-asg is not used: pools.toml names the groups, and this is none "
            "of them."
        ),
    )


def test_a_group_in_the_environment_that_a_pool_has_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ASG_NAME", "vscode-asg")

    assert loaded(DEFAULT).warnings == ()


# Its faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "names no pool: [pools.default] must be there, for all requests that name none"),
        (
            '[pools.gpu]\ngroup = "x"',
            "names no pool 'default': [pools.default] must be there, for all requests that name none",
        ),
        ("[pools.default]", "pools.default.group: is missing"),
        (DEFAULT + "buffer = -1", "pools.default.buffer=-1: Input should be greater than or equal to 0"),
        (DEFAULT + 'buffer = "5"', "pools.default.buffer='5': Input should be a valid integer"),
        (DEFAULT + "buffer = true", "pools.default.buffer=True: Input should be a valid integer"),
        (DEFAULT + "bufer = 1", "pools.default.bufer: unknown, did you mean buffer?"),
        (DEFAULT + "port = 70000", "pools.default.port=70000: Input should be less than or equal to 65535"),
        (
            DEFAULT + 'readiness = "maybe"',
            "pools.default.readiness='maybe': Input should be 'http', 'tcp' or 'off'",
        ),
        (
            DEFAULT + 'address = "elastic"',
            "pools.default.address='elastic': Input should be 'public' or 'private'",
        ),
        (
            DEFAULT + "[pools.GPU]\ngroup = 'x'",
            (
                "pools.GPU: A pool's name is 1 to 63 of a-z, 0-9, '_' and '-', "
                "and starts with a letter or a digit."
            ),
        ),
        (
            DEFAULT + '[pools.again]\ngroup = "vscode-asg"',
            "pools.again.group='vscode-asg': is the group of pools.default already, in us-east-1",
        ),
        (
            DEFAULT + '[pools.again]\ngroup = "vscode-asg"\nregion = "us-east-1"',
            "pools.again.group='vscode-asg': is the group of pools.default already, in us-east-1",
        ),
        (DEFAULT + "[pool.gpu]", "pool: unknown; each pool is a table [pools.NAME]"),
        ("buffer = 5\n" + DEFAULT, "buffer: unknown; each pool is a table [pools.NAME]"),
    ],
)
def test_a_fault_is_told_with_its_place_its_value_and_the_reason(text: str, fault: str) -> None:
    assert faults(text) == [fault]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[pools.default\n", "is not TOML: "),
        (DEFAULT + "buffer =\nport = 8080", "line 3"),
        (b'[pools.default]\ngroup = "gr\xfcn"\n', "is not UTF-8 (at line 2)"),
        ('pools = "default"', "pools='default': must be tables"),
        ('[pools]\ndefault = "vscode-asg"', "pools.default='vscode-asg': must be a table"),
        (DEFAULT + "colour = 1", "pools.default.colour: unknown, there are group, region, buffer"),
        (DEFAULT + "[pools.\"a b\"]\ngroup = 'x'", "pools.'a b': A pool's name is"),
        (
            DEFAULT + "".join(f'[pools.p{number}]\ngroup = "g{number}"\n' for number in range(MOST_POOLS)),
            f"names {MOST_POOLS + 1} pools: {MOST_POOLS} is the most",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text: str | bytes, says: str) -> None:
    (fault,) = faults(text)

    assert says in fault


def test_a_file_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()

    assert (
        caught.value.detail == "ORCHESTRATOR_POOLS_FILE=pools.toml: cannot be read: No such file or directory"
    )


def test_a_folder_is_no_file() -> None:
    Path(FILE).mkdir()

    with pytest.raises(SettingsInvalid, match="cannot be read: Is a directory"):
        load_settings()


def test_every_fault_of_the_file_and_of_the_environment_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_THREADS", "many")
    monkeypatch.setenv("AWS_ACCESS_KEY", "AKIAEXAMPLE")
    Path(FILE).write_text("[pools.gpu]\nbufer = 1\nport = 0\n[pools.Two]\n[extra]\n")

    with pytest.raises(SettingsInvalid) as caught:
        load_settings()

    places = [
        line.removeprefix("ORCHESTRATOR_POOLS_FILE=pools.toml: ").split(":")[0].split(" and ")[0]
        for line in caught.value.detail.splitlines()
    ]
    assert places == [
        "names no pool 'default'",
        "pools.gpu.group",
        "pools.gpu.port=0",
        "pools.gpu.bufer",
        "pools.Two",
        "extra",
        "ORCHESTRATOR_THREADS='many'",
        "AWS_ACCESS_KEY",
    ]
