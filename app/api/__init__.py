"""What goes over the wire in v1: the models that the service and its client share."""
