"""The audit trail, sealed: what was written cannot be changed, taken away or put in without being found.

When: always; entries are sealed seconds after they are written, verified each minute and each night.
Locks: none that a writer could meet; one sealer at a time, by an advisory lock.
"""
