"""EC2 Orchestrator: a warm buffer of idle EC2 instances, each handed to exactly one project."""
