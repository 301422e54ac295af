{
    "name": "Lab: its next version cannot be updated to",
    "version": "18.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["lab_plain"],
    "installable": True,
}
