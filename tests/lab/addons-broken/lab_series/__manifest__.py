{
    "name": "Lab: for another series",
    "version": "19.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["base"],
    "installable": True,
}
