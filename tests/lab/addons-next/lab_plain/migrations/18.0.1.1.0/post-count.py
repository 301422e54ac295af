def migrate(cr, version):
    cr.execute("UPDATE lab_thing SET colour = 'green' WHERE colour IS NULL")
