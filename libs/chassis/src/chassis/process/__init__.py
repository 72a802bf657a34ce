"""A process: settings, components, start and stop, health, terminal."""
