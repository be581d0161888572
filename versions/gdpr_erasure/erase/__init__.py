"""Erase a person (GDPR art. 17): from the plan to a certificate that holds, and again after a restore.

    plan_erasure(42)        what, where, how many rows, by which strategy, what is kept and why
    erase_user(42)          hidden, erased, looked at again once every older transaction has ended, certified
    replay("erasures.ledger")       after a restore: erase again whom it brought back, let the application in
    residue(), rewrite()            what is physically left, and the files written anew
    work()                          what is to be done again and again

The order is what makes it true. First a tombstone is committed, and from then on everything that is written
about the person is refused. Then rows are deleted or changed: in one transaction up to a bound, in batches
that go on where they were interrupted above it. Then every transaction that began before is waited for, since
it may still write what it could not know to be refused; what it wrote is swept, nothing must be left, and
only then is there a certificate. Whatever kills the process in between, calling it again goes on.
Locks: ROW EXCLUSIVE on the tables that are written to, and the rows of that person; no other writer waits.
"""
