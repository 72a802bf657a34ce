"""The one error that a person at the terminal is meant to read."""


class StackError(Exception):
    """What was asked for cannot be done; the message says what is wrong, where, and what to do, in one line.

    The command line prints it without a traceback and exits with 2.
    """
