"""A fault strikes the action it names, as often as it says."""

from app.simulator.faults import Fault, Faults


def kinds(struck: list[Fault]) -> list[str]:
    return [fault.kind for fault in struck]


def test_a_rule_strikes_only_its_action() -> None:
    faults = Faults(seed=0)
    faults.add(Fault("error", action="DescribeInstances"))
    assert faults.strike("SetDesiredCapacity") == []
    assert kinds(faults.strike("DescribeInstances")) == ["error"]


def test_a_rule_is_used_up_after_its_times() -> None:
    faults = Faults(seed=0)
    faults.add(Fault("drop", times=2))
    assert [kinds(faults.strike("X")) for _ in range(3)] == [["drop"], ["drop"], []]


def test_delays_add_up_before_the_first_other_fault() -> None:
    faults = Faults(seed=0)
    for kind in ("delay", "delay", "html", "error"):
        faults.add(Fault(kind))
    assert kinds(faults.strike("X")) == ["delay", "delay", "html"]


def test_chance_is_repeatable_with_the_same_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault("error", probability=0.5))
        return [bool(faults.strike("X")) for _ in range(20)]

    assert strikes(1) == strikes(1)
    assert 0 < sum(strikes(1)) < 20


def test_a_lifted_rule_is_gone() -> None:
    faults = Faults(seed=0)
    rule = faults.add(Fault("error"))
    assert faults.remove(rule)
    assert not faults.remove(rule)
    assert faults.strike("X") == []


def test_a_rule_for_a_group_strikes_only_calls_that_name_it() -> None:
    faults = Faults(seed=0)
    faults.add(Fault("error", group="gpu-asg"))

    assert faults.strike("X") == []
    assert faults.strike("X", {"vscode-asg"}) == []
    assert kinds(faults.strike("X", {"vscode-asg", "gpu-asg"})) == ["error"]
