{'name': 'Base', 'license': 'LGPL-3'}
