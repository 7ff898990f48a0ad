"""The EC2 actions whose limits, pages or refusals moto leaves out."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterCombination
from moto.ec2.models.instances import Reservation
from moto.ec2.responses import EC2Response
from moto.ec2.utils import passes_filter_dict

from app.simulator import errors
from app.simulator.instances import SimulatedInstance

PAGE_SIZES = range(5, 1001)
MOST_FILTER_VALUES = 200


class Ec2Api(EC2Response):  # type: ignore[misc] # moto has no types
    """EC2 API reference, actions by the same names."""

    def describe_instances(self) -> ActionResult:
        """Instances by id or by filter; pages count instances, not reservations as moto's do."""
        self.error_on_dryrun()
        ids, size = self._get_param("InstanceIds", []), self._page_size()
        if ids and self._get_param("MaxResults"):
            raise InvalidParameterCombination(
                "The parameter instancesSet cannot be used with the parameter maxResults"
            )
        filters = self._filters()
        known = self.ec2_backend.get_multi_instances_by_id(ids) if ids else list(self.ec2_backend.listed())
        found = [instance for instance in known if _passes(instance, filters)]
        found = found[self._start(found) :]
        more = found[size - 1].id if len(found) > size else None
        return ActionResult({"Reservations": self._reservations(found[:size]), "NextToken": more})

    def create_tags(self) -> ActionResult:
        """Tag instances that exist, with keys that are not AWS's own."""
        self._check_tags()
        return super().create_tags()

    def delete_tags(self) -> ActionResult:
        """Remove tags from instances that exist, but not AWS's own."""
        self._check_tags()
        return super().delete_tags()

    def _page_size(self) -> int:
        asked = self._get_int_param("MaxResults")
        if asked is not None and asked not in PAGE_SIZES:
            raise errors.bad_page_size(asked)
        return int(asked or PAGE_SIZES[-1])

    def _start(self, found: list[SimulatedInstance]) -> int:
        token = self._get_param("NextToken")
        if not token:
            return 0
        # The order is that of launches. The instance the last page ended with may match no more.
        order = {instance.id: nth for nth, instance in enumerate(self.ec2_backend.listed())}
        if token not in order:
            raise errors.bad_token()
        return sum(order[instance.id] <= order[token] for instance in found)

    def _filters(self) -> dict[str, list[str]]:
        filters: dict[str, list[str]] = self._filters_from_querystring()
        if sum(len(values) for values in filters.values()) > MOST_FILTER_VALUES:
            raise errors.too_many_filter_values()
        return filters

    def _reservations(self, instances: list[SimulatedInstance]) -> list[Any]:
        """Return the instances in reservations of one each."""
        shown = []
        for instance in instances:
            reservation = Reservation(f"r-{instance.id[2:]}", owner_id=self.current_account)
            reservation.instances = [instance]
            shown.append(reservation)
        return shown

    def _check_tags(self) -> None:
        resources = self._get_param("Resources", [])
        self.ec2_backend.get_multi_instances_by_id([name for name in resources if name.startswith("i-")])
        for tag in self._get_param("Tags", []):
            if tag["Key"].startswith("aws:"):
                raise errors.reserved_tag(tag["Key"])


def _passes(instance: SimulatedInstance, filters: dict[str, list[str]]) -> bool:
    for name, values in filters.items():
        try:
            if not passes_filter_dict(instance, {name: values}):
                return False
        except NotImplementedError:
            raise errors.unknown_filter(name) from None
    return True
