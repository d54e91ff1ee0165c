"""Devices, data parallelism (pmap or shard_map), preemption.

Imports config; training and experiments import it.
"""
