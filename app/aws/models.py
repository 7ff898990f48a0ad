"""What botocore knows of AWS's services, as far as we use it.

From its model of EC2, botocore would keep seven hundred operations in memory for good, and we call two.
"""

import gzip
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from botocore.loaders import JSONFileLoader
from botocore.session import Session, get_session

OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "autoscaling": frozenset(
        {
            "DescribeAutoScalingGroups",
            "DescribeAutoScalingInstances",
            "DescribeScalingActivities",
            "SetDesiredCapacity",
            "SetInstanceProtection",
            "TerminateInstanceInAutoScalingGroup",
        }
    ),
    "ec2": frozenset({"CreateTags", "DescribeInstances"}),
}
"""All that we call. A client of these services has no other methods; other services have all of theirs,
because it is botocore that calls them, to get credentials."""

Model = dict[str, Any]

_OPEN: Mapping[str, Callable[..., Any]] = {".json": open, ".json.gz": gzip.open}


def session() -> Session:
    """Return a session of botocore whose clients can do what OPERATIONS names."""
    made = get_session()
    made.get_component("data_loader").file_loader = _Files()
    return made


def reduced(model: Model, operations: Collection[str]) -> Model:
    """Return a model of a service with these operations alone, and the shapes that they are made of."""
    kept = {name: told for name, told in model["operations"].items() if name in operations}
    shapes: Model = {}
    wanted = list(_shapes_in(kept))
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_in(shapes[name])
    return {**model, "operations": kept, "shapes": shapes}


class _Files(JSONFileLoader):
    """Reads the files that come with botocore into plain dicts, which take half of what botocore's own do."""

    def load_file(self, file_path: str) -> Model | None:
        """Read a file, named without its ending; None where there is none."""
        for ending, opened in _OPEN.items():
            path = Path(file_path + ending)
            if path.is_file():
                with opened(path, "rb") as file:
                    model: Model = json.load(file)
                return _of_use(Path(file_path), model)
        return None


def _of_use(path: Path, model: Model) -> Model:
    """Reduce what is read from `SERVICE/VERSION/service-2`; the rest is used whole."""
    if path.name != "service-2":
        return model
    operations = OPERATIONS.get(path.parts[-3])
    return model if operations is None else reduced(model, operations)


def _shapes_in(part: object) -> Iterator[str]:
    """Name the shapes that a part of a model refers to, again and again where it does."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for one in part.values():
            yield from _shapes_in(one)
    elif isinstance(part, list):
        for one in part:
            yield from _shapes_in(one)
