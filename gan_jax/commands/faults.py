"""What went wrong comes in; an exception that the command prints without a traceback, and its exit status, go out."""


class WrongCall(Exception):
    """The call cannot mean anything as it is; exit status 2."""

    status = 2


class Failed(Exception):
    """The call was right, and something outside it failed: a disk, a network, the game itself; exit status 1."""

    status = 1
