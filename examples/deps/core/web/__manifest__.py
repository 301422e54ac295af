{'name': 'Web', 'depends': ['base'], 'auto_install': True, 'license': 'LGPL-3'}
