# The service, and with `--target simulator` the simulated cloud. Build in the root of the project:
#   docker build -f docker/orchestrator.Dockerfile -t ec2-orchestrator .
# Run. In a container the service must listen on all addresses, so it asks for a token or refuses to start:
#   docker run -p 127.0.0.1:9092:9092 -v orchestrator:/data -e AWS_REGION=eu-central-1 \
#     -e ORCHESTRATOR_ADMIN_TOKEN="$(openssl rand -hex 32)" ec2-orchestrator
# AWS credentials come from boto3's own chain (the role of the task or the machine): none are in the image.

ARG BASE=python:3.12-slim-bookworm
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
# A number, not a name: Kubernetes can tell that it is not root. The code stays root's: the service cannot
# change it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data orchestrator \
    && install -d -o 10001 -g 10001 /data
WORKDIR /srv/orchestrator
# Before the code, so that a change of the code does not install everything again.
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

FROM base AS simulator
COPY requirements-simulator.txt ./
RUN pip install --no-cache-dir -r requirements-simulator.txt
COPY app/ app/
USER 10001:10001
# It has no authentication and refuses every address but loopback: see compose.yaml for how to reach it.
EXPOSE 9093
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 9093), timeout=2).close()"]
CMD ["python", "-m", "app.simulator", "--bind", "127.0.0.1:9093"]

# The last stage is the one that is built when none is named.
FROM base AS service
COPY setup.cfg pyproject.toml gunicorn.conf.py wsgi.py scheduler.py ./
COPY app/ app/
# The command ec2-orchestrator: docker exec ... ec2-orchestrator doctor
RUN pip install --no-cache-dir --no-deps --editable .
ENV ORCHESTRATOR_BIND=0.0.0.0:9092 \
    ORCHESTRATOR_DATABASE_URL=sqlite:////data/orchestrator.db
USER 10001:10001
VOLUME /data
EXPOSE 9092
STOPSIGNAL SIGTERM
# /healthz needs no token and touches nothing, so a database that is away does not get the service restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9092/healthz', timeout=2)"]
# gunicorn.conf.py is picked up by itself. Exec form: gunicorn is process 1 and receives the signal.
CMD ["gunicorn", "wsgi:app"]
