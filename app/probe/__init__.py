"""Finds out whether instances answer: the Prober port over HTTP, over TCP, and not at all."""

from app.probe.http import HttpProber
from app.probe.none import NoProber
from app.probe.tcp import TcpProber

__all__ = ["HttpProber", "NoProber", "TcpProber"]
