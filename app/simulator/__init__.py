"""A simulated AWS cloud: one Auto Scaling group of instances that answer, behind the real AWS API.

moto speaks the protocols and keeps the records; the behaviour of AWS that moto leaves out stands here:
instances take time to boot and to go, the group keeps its size by itself, calls are refused in AWS's own
words, and everything can be made to fail through a control API. Start with `cloud.SimulatedCloud`.
"""
