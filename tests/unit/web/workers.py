"""A worker that serves clients of a test, which stands in for the process around it and its main thread."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from app.web.worker import PatientWorker

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]
FOR_EVER = 1000.0
"""Seconds of lingering that no test waits for."""
LONGEST = 60.0
"""Seconds in which an answer comes."""
ASKS = b"GET /some HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Work:
    """A worker at work."""

    def __init__(self, worker: PatientWorker) -> None:
        self.worker = worker
        self.clients: list[socket.socket] = []
        self.connections: list[Any] = []

    def connect(self, sends: bytes = ASKS, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Have a client connect and send something; return its side."""
        client, accepted = socket.socketpair(socket.AF_UNIX, kind)
        client.settimeout(LONGEST)
        client.sendall(sends)
        self.clients.append(client)
        self.connections.append(TConn(self.worker.cfg, accepted, ("192.0.2.7", 4711), ("127.0.0.1", 80)))
        self.worker.nr_conns += 1
        self.worker.enqueue_req(self.connections[-1])
        return client

    def go_on(self) -> bool:
        """Do what the main thread does about what has happened."""
        self.worker.wait_for_and_dispatch_events(0)
        return True


@contextmanager
def at_work(app: Wsgi, *, threads: int = 1, linger: float = FOR_EVER) -> Iterator[Work]:
    """Have a worker serve an application; at the end all its clients leave."""
    settings = Config()
    settings.set("threads", threads)
    settings.set("keepalive", 75)
    worker = PatientWorker(0, os.getppid(), [], None, 30, settings, Logger(settings))
    worker.linger = linger
    worker.wsgi = app
    worker.tpool = worker.get_thread_pool()
    worker.poller = DefaultSelector()
    worker.method_queue.init()
    worker.poller.register(worker.method_queue.fileno(), EVENT_READ, worker.method_queue.run_callbacks)
    work = Work(worker)
    try:
        yield work
    finally:
        for client in work.clients:
            client.close()
        worker.tpool.shutdown()
        for connection in work.connections:
            connection.sock.close()
        for one in (worker.poller, worker.method_queue, worker.bell, worker.tmp):
            one.close()
        for log in (worker.log.error_log, worker.log.access_log):  # of the process: leave them as they were
            log.handlers.clear()
            log.propagate = True
            log.setLevel(logging.NOTSET)
