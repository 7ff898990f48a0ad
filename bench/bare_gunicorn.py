"""gunicorn for the yardstick: the service's own figures, without its hooks."""

import gc
from runpy import run_path

_service = run_path("gunicorn.conf.py")
gc.enable()  # which the service's own hook does, once all is loaded

bind = _service["bind"]
worker_class = _service["worker_class"]
threads = _service["threads"]
keepalive = _service["keepalive"]
timeout = _service["timeout"]
control_socket_disable = _service["control_socket_disable"]
