"""The textbook's page as programs: one neuron, forward and backward pass with every number, and two devices."""
