# What an instance of the group runs: code-server on port 8080, with the workspace /tmp/bolty-worker.
#   docker build -f docker/worker.Dockerfile -t bolty-worker docker
#   docker run -p 127.0.0.1:8080:8080 bolty-worker
# There is no login. Whoever reaches the port has a terminal, so it belongs inside your own network only: a
# security group that admits nobody but your users or your proxy.

# Node.js 22 is what the projects use. code-server itself runs on the Node.js it brings along.
ARG BASE=node:22-bookworm-slim
FROM ${BASE}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Debian removes superseded versions from its mirrors: pinning these would break the build within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl git \
    && rm -rf /var/lib/apt/lists/*

ARG CODE_SERVER_VERSION=4.96.4
# The project publishes no checksums for this release. Give your own to have the download verified:
#   --build-arg CODE_SERVER_SHA256=...
ARG CODE_SERVER_SHA256=""
# dpkg names architectures as the release does (amd64, arm64), whichever tool builds the image.
RUN archive="code-server-${CODE_SERVER_VERSION}-linux-$(dpkg --print-architecture)" \
    && curl --fail --silent --show-error --location --retry 3 --output /tmp/code-server.tar.gz \
        "https://github.com/coder/code-server/releases/download/v${CODE_SERVER_VERSION}/${archive}.tar.gz" \
    && if [ -n "${CODE_SERVER_SHA256}" ]; then \
        echo "${CODE_SERVER_SHA256}  /tmp/code-server.tar.gz" | sha256sum --check; fi \
    && mkdir /opt/code-server \
    && tar --extract --gzip --no-same-owner --strip-components=1 \
        --file /tmp/code-server.tar.gz --directory /opt/code-server \
    && rm /tmp/code-server.tar.gz \
    && ln -s /opt/code-server/bin/code-server /usr/local/bin/code-server \
    && HOME=/tmp/trial code-server --version \
    && rm -r /tmp/trial

# `node`, user 1000 of the base image: a terminal in the browser must not be root's.
RUN install -d -o 1000 -g 1000 /tmp/bolty-worker
USER 1000:1000
WORKDIR /tmp/bolty-worker
EXPOSE 8080
# Exactly /healthz, on a connection of its own: any other path, a query string, or a connection kept alive
# counts as use of the instance, and an instance that is checked would never look unused.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/healthz"]
CMD ["code-server", "--bind-addr", "0.0.0.0:8080", "--auth", "none", \
    "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", \
    "--disable-getting-started-override", "/tmp/bolty-worker"]
