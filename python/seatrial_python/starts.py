"""What a process of tests costs at its start: what its first test uses for the first time in it.

Modules, compiled expressions, parsed files: plain pytest pays for them once, a fork pays again. It shows in the processor time
of the first tests of forks, compared with that of the tests after them. Where it is much, forks are to live longer.
"""

# Seconds from which on it is much.
MUCH = 0.1
# How often that a process may live, in processor time.
LIVES = 20


class Starts(object):
    """Seconds of processor time of the first tests of processes, and of those after them."""

    def __init__(self):
        self.first, self.firsts = 0.0, 0
        self.later, self.laters = 0.0, 0

    def note_fork(self, ran, first, whole):
        """A fork that has run tests: what it had used at the end of the first, and at its own."""
        if ran:
            self.note(True, first)
        if ran > 1:
            self.later += max(0.0, whole - first)
            self.laters += ran - 1

    def note(self, is_first, seconds):
        """One test."""
        if is_first:
            self.first += seconds
            self.firsts += 1
        else:
            self.later += seconds
            self.laters += 1

    def are_costly(self):
        """Whether it is much. As long as no test has come after another, it is tried out."""
        if self.firsts < 2 or self.mean() < MUCH:
            return False
        if self.laters < 3:
            return self.firsts > 2
        return self.mean() > 2 * self.later / self.laters

    def mean(self):
        """Seconds of a first test."""
        return self.first / self.firsts

    def life(self):
        """Seconds of processor time that a process may use where starts are costly."""
        return LIVES * self.mean()
