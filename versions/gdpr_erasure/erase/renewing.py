def renew(connection, plan):
    pass
