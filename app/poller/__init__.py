"""When passes run, and what runs beside them: the only APScheduler of the service."""

from app.poller.poller import Poller

__all__ = ["Poller"]
