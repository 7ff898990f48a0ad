"""What gunicorn serves: `gunicorn wsgi:app`. gunicorn.conf.py starts and stops the poller."""

import sys

from gunicorn.arbiter import Arbiter

from app import bootstrap
from app.domain.errors import StartRefused
from app.settings import load_settings
from app.telemetry import logs
from app.web import create_app

try:
    settings = load_settings()
    logs.configure(settings.log_format, settings.secrets)
    services = bootstrap.build(settings, patient=True)
except StartRefused as refusal:
    sys.stderr.write(f"{refusal.title()}.\n{refusal.detail}\n")
    sys.exit(Arbiter.APP_LOAD_ERROR)  # with any other code gunicorn would start this worker again, for ever
app = create_app(
    allocator=services.allocator,
    catalogue=services.catalogue,
    operator=services.operator,
    status_reader=services.status_reader,
    gate=services.gate,
    sessions=services.sessions,
    history=services.history,
    presence=services.presence,
    mailbox=services.mailbox,
    clock=services.clock,
    metrics=services.metrics,
    proxy_hops=settings.proxy_hops,
)
