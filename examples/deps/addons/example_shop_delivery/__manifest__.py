{
    "name": "Shop: delivery",
    "version": "18.0.1.0.0",
    "license": "AGPL-3",
    "depends": ["example_shop", "sale"],
    "auto_install": ["example_shop"],
}
