"""Python seeds `random` anew in each fork. A seed that the project has set at import is to last."""

import random


class State(object):
    """Notices whether user code has seeded.

    The generator's state is 624 words and an index. Drawing moves the index, and only every 624th draw the
    words. So other words mean that somebody has seeded, or drawn much: both are kept.
    """

    def __init__(self):
        self.words = None
        self.seeded = None
        self.look()

    def look(self):
        """After user code has run."""
        state = random.getstate()
        words = state[1][:-1]
        if self.words is not None and words != self.words:
            self.seeded = state
        elif self.seeded is not None:
            self.seeded = state
        self.words = words

    def restore(self):
        """In a fork: the state that plain pytest would have, if the project has set it."""
        if self.seeded is not None:
            random.setstate(self.seeded)

    def settle(self):
        """Before a fork that goes on as this process would: what to give to `resume` there."""
        self.look()
        return random.getstate()

    def resume(self, state):
        """In that fork."""
        if self.seeded is not None:
            random.setstate(state)
            return
        random.seed()
        self.words = None
        self.look()
