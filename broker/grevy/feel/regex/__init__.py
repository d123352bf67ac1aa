"""Regular expressions as Java has them, whose time is bounded whatever the pattern says.

Pattern text becomes a tree (`reader`, `tree`, `charsets`). Python's `re` matches it (`emitter`) as
long as it cannot take too long (`guard`), otherwise a matcher in linear time does (`machine`), and
what that one cannot follow is refused.
"""

from grevy.feel.regex.pattern import Found, Pattern, compile_pattern
from grevy.feel.regex.tree import PatternRefused

__all__ = ["Found", "Pattern", "PatternRefused", "compile_pattern"]
