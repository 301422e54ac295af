{
    "name": "Lab: plain",
    "summary": "One model, no view",
    "version": "18.0.1.0.0",
    "author": "ipaictl",
    "license": "LGPL-3",
    "category": "Hidden",
    "depends": ["base"],
    "data": ["security/ir.model.access.csv", "data/lab_plain.xml"],
    "installable": True,
}
