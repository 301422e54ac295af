{'name': 'Sales', 'depends': ['web'], 'license': 'LGPL-3'}
