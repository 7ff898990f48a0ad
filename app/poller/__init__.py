"""When passes run, and what runs beside them: the only APScheduler of the service."""

from app.poller.poller import Jobs, Poller

__all__ = ["Jobs", "Poller"]
