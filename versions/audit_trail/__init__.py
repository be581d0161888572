"""The audit trail, sealed: what was written cannot be changed, taken away or put in without being found.

<<<<<<< HEAD
When: always; entries are sealed seconds after they are written, verified each minute and each night.
=======
When: always; entries are sealed seconds after they are written, and verified each minute, whole each night.
>>>>>>> gdpr
Locks: none that a writer could meet; one sealer at a time, by an advisory lock.
"""
