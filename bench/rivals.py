"""What somebody would otherwise write: both do less than the service, and leave out what costs time.

Neither asks who it is, counts, logs, waits in line or ends anything, and the first hands out machines
that nobody probes. They are run by the same gunicorn as the service, with as many workers and threads.
"""

import threading

import psycopg
from boto3.session import Session
from botocore.config import Config
from flask import Flask, Response, jsonify

GROUP = "vscode-asg"

TABLES = """
CREATE TABLE machines (id text PRIMARY KEY, ip text NOT NULL, idle_since timestamptz NOT NULL, project text);
CREATE UNIQUE INDEX one_machine_each ON machines (project) WHERE project IS NOT NULL;
CREATE INDEX longest_idle ON machines (idle_since) WHERE project IS NULL;
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now(), project text, machine text
);
INSERT INTO machines
SELECT 'i-' || lpad(to_hex(n), 17, '0'), '10.' || n / 65536 || '.' || n / 256 %% 256 || '.' || n %% 256, now()
FROM generate_series(1, %(count)s) AS n;
ANALYZE machines;
"""

TAKE = """
UPDATE machines SET project = %s WHERE id = (
    SELECT id FROM machines WHERE project IS NULL ORDER BY idle_since LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, ip
"""


def fill(database: str, count: int) -> None:
    """Make the queue table, with so many idle machines."""
    with psycopg.connect(database, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(TABLES, {"count": count})


def queue_table(database: str) -> Flask:
    """Take the next machine of a table in PostgreSQL, and write down who has it, in one transaction."""
    app = Flask(__name__, static_folder=None)
    own = threading.local()

    @app.get("/<project>")
    def take(project: str) -> Response:
        connection = _connection(own, database)
        with connection.transaction():
            found = connection.execute(TAKE, (project,)).fetchone()
            if found is None:
                raise LookupError("the table has no idle machine any more")
            connection.execute("INSERT INTO history (project, machine) VALUES (%s, %s)", (project, found[0]))
        return _told(project, *found)

    @app.get("/healthz")
    def ready() -> Response:
        return jsonify({})

    return app


def asking_aws(endpoint: str) -> Flask:
    """Ask AWS which machines there are, at each request: one call, and no books at all."""
    app = Flask(__name__, static_folder=None)
    groups = Session("AKIDEXAMPLE", "not-a-secret", region_name="us-east-1").client(
        "autoscaling", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1})
    )

    @app.get("/<project>")
    def look(project: str) -> Response:
        (group,) = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        members = group["Instances"]
        return _told(project, members[hash(project) % len(members)]["InstanceId"], "10.200.100.50")

    @app.get("/healthz")
    def ready() -> Response:
        return jsonify({})

    return app


def _connection(own: threading.local, database: str) -> "psycopg.Connection[tuple[str, str]]":
    """Keep a connection for each thread: quicker than any pool of them."""
    if not hasattr(own, "connection"):
        own.connection = psycopg.connect(database, autocommit=True)
    kept: psycopg.Connection[tuple[str, str]] = own.connection
    return kept


def _told(project: str, machine: str, ip: str) -> Response:
    return jsonify({"ip": ip, "projectId": project, "machineId": machine, "url": f"http://{ip}:8080"})
