"""The textbook's page, live: the neuron, the forward and backward pass with every number shown, two devices."""
