# Copyright 2026 Example
{
    "name": "Shop",
    "version": "18.0.1.0.0",
    "license": "AGPL-3",
    "depends": [
        "sale",
        # In OCA/queue, which addons.json declares and nobody has cloned yet:
        "queue_job",
    ],
    "external_dependencies": {"python": ["lxml>=5"]},
}
