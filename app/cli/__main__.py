"""`python -m app.cli`: the same as `ec2-orchestrator`, where it is not installed."""

from app.cli.program import main

main()
