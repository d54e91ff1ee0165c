"""Devices, data parallelism (pmap or shard_map), preemption. Imports config only."""
