"""How random tests run: without deadlines, since a slow machine is no fault, and with what repeats
a failure printed beside it.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("grevy", deadline=None, print_blob=True)
settings.load_profile("grevy")
