"""`status`: pools at a glance, what is wrong and how to mend it, instances."""

from app.cli import overview
from tests.answering import AnsweringService, Says
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

REBALANCES = {"code": "group-rebalances", "detail": "AZRebalance is not suspended."}


def test_pools_and_instances_are_told_line_by_line(shell: Shell) -> None:
    lines = shell.run("status").stdout.splitlines()

    assert lines[0].endswith(": alpha leads, last pass 3s ago")
    assert lines[2].split()[:4] == ["POOL", "IDLE", "BUFFER", "WAITING"]
    figures = ["default", "4", "5", "0", "2", "1", "0", "1", "7", "20", "2026-11-22T20:14:57Z"]
    assert lines[3].split() == figures
    assert lines[6].split()[:3] == ["i-0aaaaaaaaaaaaaaa2", "allocated", "a-project-with-a-rather-long-name"]
    assert "i-0aaaaaaaaaaaaaaa5  idle held" in lines[-1]


def test_in_a_pipe_nothing_is_coloured_or_cut_off(shell: Shell) -> None:
    told = shell.run("status").stdout

    assert "\x1b" not in told
    assert "…" not in told
    assert all(line == line.rstrip() for line in told.splitlines())


def test_a_paused_pool_is_told_loudly_with_how_to_go_on(service: AnsweringService, shell: Shell) -> None:
    paused = {"code": "paused", "detail": "Paused by ops. To go on: ec2-orchestrator resume"}
    service.on(
        "GET", "/status", Says(200, wire.a_status(paused=True, limited_by="paused", warnings=[paused]))
    )
    told = shell.run("status").stdout

    assert "PAUSED    Paused by ops. To go on: ec2-orchestrator resume\n" in told
    assert told.count("Paused by ops") == 1
    assert "LIMITED" not in told


def test_what_limits_a_pool_is_told_with_what_helps(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/status", Says(200, wire.a_status(limited_by="quota")))
    told = shell.run("status").stdout

    assert "LIMITED   the buffer cannot be met: quota\n" in told
    assert "          To mend: An AWS quota of the account is used up" in told


def test_warnings_are_told_with_their_remedy(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/status", Says(200, wire.a_status(warnings=[REBALANCES])))
    told = shell.run("status").stdout

    assert "warning   group-rebalances: AZRebalance is not suspended.\n" in told
    assert "          To mend: Suspend the group's process AZRebalance.\n" in told


def test_of_several_pools_each_line_names_its_own(service: AnsweringService, shell: Shell) -> None:
    gpu = wire.figures(name="gpu", warnings=[REBALANCES])
    service.on("GET", "/status", Says(200, wire.a_status(gpu)))

    assert "warning   gpu: group-rebalances" in shell.run("status").stdout


def test_a_limit_and_a_warning_of_a_newer_service_are_told_without_a_remedy(
    service: AnsweringService, shell: Shell
) -> None:
    news = [{"code": "brand-new", "detail": "Something."}]
    service.on("GET", "/status", Says(200, wire.a_status(limited_by="brand-new", warnings=news)))
    told = shell.run("status").stdout

    assert "LIMITED   the buffer cannot be met: brand-new\n" in told
    assert "warning   brand-new: Something.\n" in told
    assert "To mend" not in told


def test_that_nobody_leads_is_told(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/status", Says(200, wire.a_status(leader=None)))

    assert "no leader No replica looks after the pools" in shell.run("status").stdout


def test_many_instances_are_counted_and_listed_on_demand(service: AnsweringService, shell: Shell) -> None:
    many = [wire.an_instance(id=f"i-{number:017x}") for number in range(53)]
    service.on("GET", "/v1/instances", wire.page(*many))

    some, every = shell.run("status").stdout, shell.run("status", "--all").stdout

    assert some.count("i-0") == overview.FEW
    assert some.endswith("and 33 more: --all lists them\n")
    assert every.count("i-0") == 53


def test_of_very_many_only_the_first_pages_are_asked_for(service: AnsweringService, shell: Shell) -> None:
    many = [wire.an_instance(id=f"i-{number:017x}") for number in range(500)]
    service.on("GET", "/v1/instances", Says(200, {"items": many, "next": "more"}))
    service.on("GET", "/status", Says(200, wire.a_status(total_machines=4000)))

    assert shell.run("status").stdout.endswith("and 3982 more: --all lists them\n")
    assert len(service.requests("GET", "/v1/instances")) == 1


def test_what_is_loudest_comes_first_over_all_pools(service: AnsweringService, shell: Shell) -> None:
    gpu = wire.figures(name="gpu", paused=True, limited_by="paused")
    old = wire.figures(name="old", limited_by="quota")
    service.on("GET", "/status", Says(200, wire.a_status(gpu, old, warnings=[REBALANCES])))
    lines = shell.run("status").stdout.splitlines()

    labels = [line.split()[0] for line in lines if line.startswith(("PAUSED", "LIMITED", "warning"))]
    assert labels == ["PAUSED", "LIMITED", "warning"]
