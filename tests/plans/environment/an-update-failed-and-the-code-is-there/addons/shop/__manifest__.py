{'name': 'Shop', 'version': '1.1.0', 'depends': ['base'], 'license': 'LGPL-3'}
