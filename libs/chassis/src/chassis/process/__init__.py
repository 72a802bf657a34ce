"""What every process has: settings, start and stop, health, command line."""
