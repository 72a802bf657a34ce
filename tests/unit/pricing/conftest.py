"""Properties run without hypothesis's deadline here: the first look at a calendar takes its time."""

from hypothesis import settings

settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")
