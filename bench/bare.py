"""The yardstick: the least that Flask under gunicorn can do, answering what an allocation answers."""

from flask import Flask, Response, jsonify

app = Flask(__name__, static_folder=None)


@app.get("/<name>")
def answer(name: str) -> Response:
    """Answer at once, out of nothing."""
    return jsonify(
        {
            "ip": "10.200.100.50",
            "projectId": name,
            "machineId": "i-0123456789abcdef0",
            "url": "http://10.200.100.50:8080",
        }
    )
