def migrate(cr, version):
    raise ValueError("lab_fails cannot be updated from %s" % version)
