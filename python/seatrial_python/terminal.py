"""Pytest's terminal reporter writes into memory here: Seatrial draws the run itself."""


class Sink(object):
    """A file that keeps what is written while `keeping` is set, and forgets the rest."""

    encoding = "utf-8"

    def __init__(self):
        self.keeping = False
        self.parts = []

    def write(self, text):
        """As a text file's."""
        if self.keeping:
            self.parts.append(text)
        return len(text)

    def writelines(self, lines):
        """As a text file's."""
        for line in lines:
            self.write(line)

    def flush(self):
        """There is nothing to flush."""

    def isatty(self):
        """Never: progress is not drawn with control characters."""
        return False

    def text(self):
        """What was kept."""
        return "".join(self.parts)


def is_reporter(plugin):
    """Whether this is pytest's terminal reporter or one derived from it (sugar, rich)."""
    from _pytest.terminal import TerminalReporter

    return isinstance(plugin, TerminalReporter)


def redirect(reporter, sink):
    """Lets the reporter write into the sink."""
    writer = getattr(reporter, "_tw", None)
    if writer is not None:
        writer._file = sink


def leave_out_progress(reporter):
    """Of what is written while tests run, drops what costs time and nobody sees."""
    reporter._show_progress_info = False
    reporter.showfspath = False


def leave_out_failures(reporter):
    """Of the summary, drops what Seatrial prints itself: failures, errors, and the line of counts."""
    for name in ("summary_errors", "summary_failures", "summary_stats"):
        if hasattr(reporter, name):
            setattr(reporter, name, lambda *args, **kwargs: None)
    chars = getattr(reporter, "reportchars", None)
    if isinstance(chars, str):
        reporter.reportchars = chars.replace("f", "").replace("E", "")
