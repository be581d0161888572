"""Personal data: where it is, on what ground, who asked what of it by when, and what they are given.

When: a column is added, a person asks, an authority asks.
Locks: ROW EXCLUSIVE on the tables that are written to; what reads takes none that a writer could meet.
"""
