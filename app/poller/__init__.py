"""When passes run, and what runs beside them: the only APScheduler of the service."""

from app.poller.poller import Poller
from app.poller.rounds import Jobs, NewJobs

__all__ = ["Jobs", "NewJobs", "Poller"]
