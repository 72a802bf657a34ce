"""Request bodies."""

from chassis.http.json_bodies import RequestBody


class RunRequest(RequestBody):
    """A run takes no options over HTTP: an empty object, or no body."""
