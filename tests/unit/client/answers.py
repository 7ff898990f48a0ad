"""What a service answers a client in these tests."""

from tests.answering import problem

TOKEN = "eco_0a1b2c3d_" + "s" * 43
ALLOCATION = {
    "project": "my-project",
    "pool": "default",
    "instance": "i-0123456789abcdef0",
    "address": "10.0.0.1",
    "url": "http://10.0.0.1:8080",
    "state": "allocated",
    "allocatedAt": "2026-11-22T20:15:00.000Z",
    "expiresAt": None,
    "confirmBy": None,
    "lastActivityAt": None,
}
POOL = {
    "name": "default",
    "group": "vscode-asg",
    "region": "us-east-1",
    "buffer": 5,
    "configuredBuffer": 5,
    "paused": False,
    "pausedAt": None,
    "pausedBy": None,
    "address": "public",
    "port": 8080,
    "readiness": "http",
    "instances": {"booting": 0, "idle": 5, "allocated": 1, "terminating": 0, "held": 0},
    "defaultTtl": None,
    "maxTtl": 86400,
    "confirmWithin": None,
    "idleTimeout": 1800.5,
    "waiting": 2,
    "launchSeconds": 48.5,
    "desiredCapacity": 6,
    "minSize": 0,
    "maxSize": 20,
    "limitedBy": None,
    "lastPassAt": None,
    "warnings": [],
}
ONE = "/v1/allocations/my-project"
EXHAUSTED = problem(503, "pool-exhausted", "Nothing is idle.", retry_after="0")
AWAY = problem(503, "registry-unavailable", "The database does not answer.", retry_after="0")
