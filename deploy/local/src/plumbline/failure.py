"""The error that the command line shows to the user."""


class StackError(Exception):
    """The command cannot do its work. The message says in one line what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """
