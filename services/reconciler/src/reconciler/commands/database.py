"""The service's database."""

from chassis.postgres import Database
from chassis.process.local_stack import load_command_settings
from reconciler.settings import SERVICE, OfflineSettings, ReconcilerSettings


def open_database(settings: ReconcilerSettings | OfflineSettings) -> Database:
    """Build the service's database, with its own role; not yet connected."""
    return Database(settings.reconciler_postgres_dsn.get_secret_value(), application_name=SERVICE)


def open_command_database() -> Database:
    """Build the database of a command, with the settings of the command."""
    return open_database(load_command_settings(OfflineSettings, SERVICE))
