"""What the header `Script` of a message asks of its handler; README.md has the steps."""

VERDICTS = ("ack", "nak", "retry", "reject", "throw", "forget")
NAKS = ("nak", "retry", "throw")  # what JetStream is told as a NAK


class Script:
    def __init__(self, text):
        self.attempts = [part.split(",") for part in (text or "ack").split("|")]

    def steps(self, attempt):
        """Of the attempt, counted from 1."""
        return self.attempts[min(attempt, len(self.attempts)) - 1]

    @property
    def holds(self):
        return any("hold" in steps for steps in self.attempts)


def verdict(steps):
    """The step that settles it, as its words: `["retry", "200"]`."""
    for step in steps:
        words = step.strip().split(" ", 1)
        if words[0] in VERDICTS:
            return words
    return ["ack"]
