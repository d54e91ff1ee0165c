"""Printable exercises: fresh numbers, the solution by hand, and the pages that ask for it."""
