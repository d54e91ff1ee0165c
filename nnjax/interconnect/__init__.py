"""What a training step sends, what a link makes of it, and what faults do."""
