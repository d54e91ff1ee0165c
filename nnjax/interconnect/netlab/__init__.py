"""A network of real links on one machine: a namespace for each process, and links with a bandwidth, a delay and faults."""
