"""Devices, placement of arrays and trials (pmap or shard_map), compilation, preemption.

Imports config, checks and the facts of data; training and experiments import it.
"""
