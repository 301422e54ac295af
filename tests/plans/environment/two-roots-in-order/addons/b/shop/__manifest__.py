{'name': 'Shop', 'version': '9.0.0', 'depends': ['base'], 'license': 'LGPL-3'}
