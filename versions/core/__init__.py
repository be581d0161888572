"""What every room stands on: settings, connections, errors, locks, retries and named SQL.

Knows nothing of rooms, revisions or command lines.
"""
