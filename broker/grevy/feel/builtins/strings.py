"""Built-ins on strings. Positions count characters (not UTF-16 units) from 1, or from the end for
negative ones.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Final

from grevy.feel import decimals
from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.builtins.patterns import patterns, replacer
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import Value

LIBRARY: Final = Library()


@LIBRARY.define("substring", "string: string", "start position: number")
@LIBRARY.define("substring", "string: string", "start position: number", "length: number")
def _substring(run: Run, string: str, start: Number, length: Number | None = None) -> Value:
    position = decimals.to_index(start)
    first = position - 1 if position > 0 else len(string) + position
    count = len(string) if length is None else decimals.to_index(length)
    if not 0 <= first <= len(string) or count < 0:
        raise EvaluationStopped(f"{shown(string)} has no such part")
    return run.check_text(string[first : first + count])


@LIBRARY.define("string length", "string: string")
def _string_length(_run: Run, string: str) -> Value:
    return len(string)


@LIBRARY.define("upper case", "string: string")
def _upper_case(run: Run, string: str) -> Value:
    return run.check_text(string.upper())


@LIBRARY.define("lower case", "string: string")
def _lower_case(run: Run, string: str) -> Value:
    return run.check_text(string.lower())


@LIBRARY.define("substring before", "string: string", "match: string")
def _substring_before(run: Run, string: str, match: str) -> Value:
    before, found, _ = string.partition(match) if match else ("", "", "")
    return run.check_text(before if found else "")


@LIBRARY.define("substring after", "string: string", "match: string")
def _substring_after(run: Run, string: str, match: str) -> Value:
    return run.check_text(string.partition(match)[2] if match else string)


@LIBRARY.define("contains", "string: string", "match: string")
def _contains(run: Run, string: str, match: str) -> Value:
    return match in run.check_text(string)


@LIBRARY.define("starts with", "string: string", "match: string")
def _starts_with(_run: Run, string: str, match: str) -> Value:
    return string.startswith(match)


@LIBRARY.define("ends with", "string: string", "match: string")
def _ends_with(_run: Run, string: str, match: str) -> Value:
    return string.endswith(match)


@LIBRARY.define("trim", "string: string")
def _trim(run: Run, string: str) -> Value:
    return run.check_text(string.strip("".join(map(chr, range(33)))))


@LIBRARY.define("is blank", "string: string")
def _is_blank(_run: Run, string: str) -> Value:
    return not string or string.isspace()


@LIBRARY.define("uuid")
def _uuid(run: Run) -> Value:
    if run.entropy is None:
        raise CallFailed("there is no source of randomness here")
    return str(uuid.UUID(bytes=run.entropy.random_bytes(16), version=4))


@LIBRARY.define("to base64", "value: string")
def _to_base64(run: Run, value: str) -> Value:
    return run.check_text(base64.b64encode(value.encode(errors="replace")).decode())


@LIBRARY.define("from base64", "value: string")
def _from_base64(run: Run, value: str) -> Value:
    try:
        return run.check_text(base64.b64decode(value, validate=True).decode())
    except (binascii.Error, ValueError):
        raise CallFailed(f"'{shown(value)}' is no text in Base64") from None


@LIBRARY.define("matches", "input: string", "pattern: string")
@LIBRARY.define("matches", "input: string", "pattern: string", "flags: string|null")
def _matches(run: Run, text: str, pattern: str, flags: str | None = None) -> Value:
    with patterns(pattern, flags or "") as compiled:
        return compiled.is_in(text, run)


@LIBRARY.define("replace", "input: string", "pattern: string", "replacement: string")
@LIBRARY.define(
    "replace", "input: string", "pattern: string", "replacement: string", "flags: string|null"
)
def _replace(
    run: Run, text: str, pattern: str, replacement: str, flags: str | None = None
) -> Value:
    with patterns(pattern, flags or "") as compiled:
        found = list(compiled.find_all(text, run))
        if not found:
            return text  # whatever the replacement is
        run.check_list(len(found))
        expand = replacer(compiled, replacement)
    parts: list[str] = []
    start = length = 0
    for match in found:
        parts += [text[start : match.start], expand(match)]
        length += len(parts[-1])
        run.check_length(length)
        start = match.end
    return run.check_text("".join([*parts, text[start:]]))


@LIBRARY.define("split", "string: string", "delimiter: string")
def _split(run: Run, text: str, delimiter: str) -> Value:
    parts: list[Value] = []
    start = 0
    with patterns(delimiter, what="pattern for delimiter") as compiled:
        for match in compiled.find_all(text, run):
            # As in Java: a match of nothing at the very start does not split off an empty string.
            if match.end > 0:
                parts.append(text[start : match.start])
                start = match.end
    parts.append(text[start:])
    run.check_list(len(parts))
    return parts


@LIBRARY.define("extract", "input: string", "pattern: string")
def _extract(run: Run, text: str, pattern: str) -> Value:
    with patterns(pattern) as compiled:
        found: list[Value] = [match.group(0) for match in compiled.find_all(text, run)]
    run.check_list(len(found))
    return found
