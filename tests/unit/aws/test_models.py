"""What is left of botocore's models: all that we call, whole, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session, get_session

from app import aws
from app.aws import models
from app.aws.models import OPERATIONS, reduced

SERVICES = ("autoscaling", "ec2")


def model_of(session: Session, service: str) -> dict[str, Any]:
    model: dict[str, Any] = session.get_component("data_loader").load_service_model(service, "service-2")
    return model


def test_every_action_that_is_named_for_a_call_is_kept() -> None:
    sources = "".join(path.read_text() for path in Path(aws.__file__).parent.glob("*.py"))
    called = set(re.findall(r'"((?:autoscaling|ec2):\w+)"', sources))
    assert called == {f"{service}:{one}" for service, kept in OPERATIONS.items() for one in kept}


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_has_our_operations_and_no_others(service: str) -> None:
    assert model_of(models.session(), service)["operations"].keys() == OPERATIONS[service]


@pytest.mark.parametrize("service", SERVICES)
def test_our_operations_are_as_botocore_has_them(service: str) -> None:
    ours, botocores = model_of(models.session(), service), model_of(get_session(), service)
    assert ours["operations"] == {name: botocores["operations"][name] for name in OPERATIONS[service]}


@pytest.mark.parametrize("service", SERVICES)
def test_the_shapes_that_stay_are_as_botocore_has_them(service: str) -> None:
    ours, botocores = model_of(models.session(), service), model_of(get_session(), service)
    assert ours["shapes"] == {name: botocores["shapes"][name] for name in ours["shapes"]}


def test_most_of_ec2_is_gone() -> None:
    ours, botocores = model_of(models.session(), "ec2"), model_of(get_session(), "ec2")
    assert len(ours["shapes"]) < len(botocores["shapes"]) / 20


def test_a_service_that_botocore_calls_by_itself_is_whole() -> None:
    assert model_of(models.session(), "sts") == model_of(get_session(), "sts")


def test_a_shape_stays_through_all_that_refer_to_it() -> None:
    model = {
        "operations": {"Look": {"output": {"shape": "A"}}, "Change": {"input": {"shape": "D"}}},
        "shapes": {
            "A": {"type": "structure", "members": {"b": {"shape": "B"}}},
            "B": {"type": "list", "member": {"shape": "C"}},
            "C": {"type": "structure", "members": {"a": {"shape": "A"}}},
            "D": {"type": "string"},
        },
    }
    assert reduced(model, {"Look"})["shapes"].keys() == {"A", "B", "C"}


def test_a_member_by_the_name_of_shape_refers_to_nothing() -> None:
    model = {
        "operations": {"Look": {"output": {"shape": "A"}}},
        "shapes": {"A": {"type": "structure", "members": {"shape": {"shape": "B"}}}, "B": {"type": "string"}},
    }
    assert reduced(model, {"Look"})["shapes"].keys() == {"A", "B"}
