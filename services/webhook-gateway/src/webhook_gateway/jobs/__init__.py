"""Background loops of the gateway: publishing refusals, reloading configuration."""
