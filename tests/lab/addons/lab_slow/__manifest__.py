{
    "name": "Lab: its next version takes its time",
    "version": "18.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["lab_plain"],
    "installable": True,
}
