"""Version 1 of the interface: allocations, instances, pools, events. One blueprint a file."""
