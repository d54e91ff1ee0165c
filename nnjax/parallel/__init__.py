"""Devices, data parallelism (pmap or shard_map), preemption.

Imports config, checks and the facts of data; training and experiments import it.
"""
