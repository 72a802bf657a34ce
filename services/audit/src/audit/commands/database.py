"""The service's database."""

from audit.settings import SERVICE, AuditSettings, LogReaderSettings, OfflineSettings, WitnessSettings
from chassis.postgres import Database
from chassis.process.local_stack import load_command_settings


def open_database(
    settings: AuditSettings | OfflineSettings | LogReaderSettings | WitnessSettings,
) -> Database:
    """Build the service's database, with its own role; not yet connected."""
    return Database(settings.audit_postgres_dsn.get_secret_value(), application_name=SERVICE)


def open_command_database() -> Database:
    """Build the database of a command, with the settings of the command."""
    return open_database(load_command_settings(OfflineSettings, SERVICE))
