"""The command line `ec2-orchestrator`: parse, call, print."""
