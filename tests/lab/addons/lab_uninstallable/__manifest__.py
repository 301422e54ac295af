{
    "name": "Lab: not installable",
    "version": "18.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["base"],
    "installable": False,
}
