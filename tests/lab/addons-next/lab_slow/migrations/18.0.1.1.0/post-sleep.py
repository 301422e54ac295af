import time


def migrate(cr, version):
    """Sleeps for as long as the parameter says, so that a test can kill the update."""
    cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'lab.sleep_seconds'")
    found = cr.fetchone()
    time.sleep(float(found[0]) if found else 30)
