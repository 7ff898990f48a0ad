"""Asks instances whether they answer, over HTTP, over TCP, and not at all; and when they were last used."""

from app.probe.heartbeat import HeartbeatReader
from app.probe.http import HttpProber
from app.probe.none import NoProber
from app.probe.tcp import TcpProber

__all__ = ["HeartbeatReader", "HttpProber", "NoProber", "TcpProber"]
