"""What gunicorn serves: `gunicorn wsgi:app`. gunicorn.conf.py starts and stops the poller."""

from app import bootstrap
from app.domain.errors import StartRefused
from app.settings import load_settings
from app.telemetry import logs
from app.web import create_app

try:
    settings = load_settings()
    logs.configure(settings.log_format)
    services = bootstrap.build(settings, patient=True)
except StartRefused as refusal:
    raise SystemExit(f"{refusal.title()}.\n{refusal.detail}") from None
app = create_app(
    allocator=services.allocator,
    status_reader=services.status_reader,
    token=settings.token,
    loopback_only=settings.loopback_only,
)
