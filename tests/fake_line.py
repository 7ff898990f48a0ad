"""The Line port in memory: one process, and nobody is ever too late."""

from collections.abc import Collection, Mapping
from datetime import datetime
from threading import Lock

from app.domain.errors import RegistryUnavailable
from app.domain.model import PoolName, ProjectId
from app.ports import Prospect, RequestId, Standing


class FakeLine:
    """Says what it is told to say of the instances; requests wait in threads, and change it one at a time."""

    def __init__(self) -> None:
        self.ready = 0
        """Instances of each pool that could be handed out."""
        self.doubtful = 0
        self.holding: set[ProjectId] = set()
        """Projects that hold an instance."""
        self.places: list[tuple[PoolName, ProjectId, RequestId]] = []
        """Those in line, whichever it is: who came first stands first."""
        self.left: list[tuple[RequestId, bool]] = []
        """Who gave a place up, and whether the project counts as demand all the same."""
        self.abandoned: list[ProjectId] = []
        self.is_wanted = False
        """Whether another request wants what one has abandoned."""
        self.looks = 0
        self.away = False
        """Whether the database does not answer."""
        self.told = Prospect(line=(), demand=(), ready=0, booting=(), measured=(), more=True)
        self.asked_for_it = 0
        """How often the prospect was asked for."""
        self._lock = Lock()

    def enter(
        self, pool: PoolName, project: ProjectId, request: RequestId, *, yielding: bool = False
    ) -> None:
        self._answer()
        with self._lock:
            there = next((one for one in self.places if one[1] == project), None)
            if there is None:
                self.places.append((pool, project, request))
            elif yielding and there[2] != request:
                return
            elif there[0] == pool:
                self.places[self.places.index(there)] = (pool, project, request)
            else:
                self.places = [*(one for one in self.places if one != there), (pool, project, request)]

    def look(
        self, pool: PoolName, requests: Mapping[RequestId, ProjectId], *, ready_since: datetime
    ) -> Standing:
        del ready_since
        self._answer()
        with self._lock:
            self.looks += 1
            places = list(self.places)
        in_line = [request for of, _, request in places if of == pool]
        placeless = requests.keys() - set(in_line)
        others = {project for _, project, request in places if request not in placeless}
        return Standing(
            ready=self.ready,
            doubtful=self.doubtful,
            ahead={one: before for before, one in enumerate(in_line) if one in requests},
            replaced={one for one in placeless if requests[one] in others},
            served={one for one, project in requests.items() if project in self.holding},
        )

    def leave(self, requests: Collection[RequestId], *, demand: bool) -> None:
        self._answer()
        with self._lock:
            self.left += [(one, demand) for one in requests]
            self.places = [one for one in self.places if one[2] not in requests]

    def abandon(self, project: ProjectId, request: RequestId, *, actor: str, now: datetime) -> bool:
        del request, actor, now
        self._answer()
        if self.is_wanted:
            return False
        self.abandoned.append(project)
        return True

    def prospect(self, pool: PoolName, *, ready_since: datetime) -> Prospect:
        del pool, ready_since
        self._answer()
        self.asked_for_it += 1
        return self.told

    def forget(self) -> None:
        """Lose every place, as after a few seconds in which nobody said that he waits."""
        with self._lock:
            self.places = []

    def _answer(self) -> None:
        if self.away:
            raise RegistryUnavailable("The database did not answer as it should. Try again.")
