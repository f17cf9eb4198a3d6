"""Market files: the contracts an exchange lists, as people write them in TOML and as the core takes them."""
