"""The two ways in which a user's input can be wrong; both end in one line and exit status 2."""


class UsageError(Exception):
    """What the user asked for cannot be done. The message says what is wrong, where, what to do."""


class TaskError(UsageError):
    """The task file is at fault: no Model, a reference that raises, inputs that are no tensors."""
