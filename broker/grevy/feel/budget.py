"""What one evaluation may use. A process model is somebody else's program: it must end, soon,
whatever it says.

Steps are counted, not seconds, so that the same expression over the same data ends the same way
everywhere. Straight-line code is bounded by the length of the expression; so only what repeats is
charged: a turn of a loop costs as many steps as its body has nodes, a built-in as many as the
items or text it walks.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from grevy.feel.errors import EvaluationStopped
from grevy.protocol import limits

CHARS_PER_STEP: Final = 256
"""Copying text is cheap, but not free: this many characters count as one step."""


class Budget(Struct, eq=False):
    """The steps and the call depth that are left to one evaluation. Mutable; every `charge` may
    end the evaluation.
    """

    steps: int = limits.FEEL_STEPS_MAX
    depth: int = limits.FEEL_CALL_DEPTH_MAX
    steps_max: int = limits.FEEL_STEPS_MAX
    """How many steps there were, for the message."""

    def charge(self, steps: int) -> None:
        """Takes `steps` off; raises `EvaluationStopped` when none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationStopped(f"it takes more than {self.steps_max} steps")

    def enter(self, height: int) -> None:
        """Goes down into a function with a body of `height` nodes; `leave(height)` comes back."""
        self.depth -= height
        if self.depth < 0:
            raise EvaluationStopped(f"its calls nest deeper than {limits.FEEL_CALL_DEPTH_MAX}")

    def leave(self, height: int) -> None:
        """Undoes `enter(height)`."""
        self.depth += height

    def check_list(self, length: int) -> int:
        """Charges for a list of `length` items and gives the length back."""
        if length > limits.FEEL_LIST_ITEMS_MAX:
            raise EvaluationStopped(f"a list has more than {limits.FEEL_LIST_ITEMS_MAX} items")
        self.charge(length)
        return length

    def check_length(self, length: int) -> None:
        """Charges for a text of `length` characters that is going to be made."""
        if length > limits.FEEL_STRING_CHARS_MAX:
            raise EvaluationStopped(
                f"a string has more than {limits.FEEL_STRING_CHARS_MAX} characters"
            )
        self.charge(length // CHARS_PER_STEP)

    def check_text(self, text: str) -> str:
        """Charges for a text that was made and gives it back."""
        if len(text) >= CHARS_PER_STEP:
            self.check_length(len(text))
        return text
