{
    "name": "Lab: depends on lab_plain",
    "version": "18.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["lab_plain"],
    "installable": True,
}
