"""What gunicorn serves: `gunicorn wsgi:app`. gunicorn.conf.py starts and stops the poller."""

from app import bootstrap
from app.settings import load_settings
from app.telemetry import logs
from app.web import create_app

settings = load_settings()
logs.configure(settings.log_format)
services = bootstrap.build(settings)
app = create_app(allocator=services.allocator, status_reader=services.status_reader, token=settings.token)
