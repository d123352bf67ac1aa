"""Built-ins on contexts. They never change a context, they make a new one."""

from __future__ import annotations

from typing import Final

from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.entries import arranged
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import FeelFunction, Value
from grevy.protocol import limits

LIBRARY: Final = Library()
Context = dict[str, Value]

_KEY_STEPS: Final = 20
"""What it costs to find the place of a key among many."""


def _arranged(run: Run, context: Context) -> Context:
    run.check_list(len(context))
    run.charge(_KEY_STEPS * (len(context) - 1))
    return arranged(context)


@LIBRARY.define("get entries", "context: context")
@LIBRARY.define("get entries", "m: context")
def _get_entries(run: Run, context: Context) -> Value:
    return [
        {"key": key, "value": value}
        for key, value in _arranged(run, context).items()
        if not isinstance(value, FeelFunction)
    ]


@LIBRARY.define("get value", "m: context", "key: string|list")
@LIBRARY.define("get value", "context: context", "key: string|list")
@LIBRARY.define("get value", "context: context", "keys: list")
def _get_value(_run: Run, context: Context, key: str | list[Value]) -> Value:
    if isinstance(key, str):
        return context.get(key)
    found: Value = context if key else None
    for step in key:
        if not (isinstance(step, str) and isinstance(found, dict)):
            return None
        found = found.get(step)
    return found


@LIBRARY.define("context put", "context: context", "key: string|list", "value")
@LIBRARY.define("context put", "context: context", "keys: list", "value")
@LIBRARY.define("put", "context: context", "key: string|list", "value")
def _context_put(run: Run, context: Context, key: str | list[Value], value: Value) -> Value:
    if isinstance(key, str):
        return _arranged(run, {**context, key: value})
    if not key:
        return None
    keys = [step for step in key if isinstance(step, str)]
    if len(keys) != len(key):
        raise CallFailed(f"Illegal arguments: '{shown(context)}', '{shown(key)}', '{shown(value)}'")
    if len(keys) > limits.JSON_DEPTH_MAX:
        raise CallFailed(f"there are more than {limits.JSON_DEPTH_MAX} keys")
    contexts: list[Context] = [context]
    for step in keys[:-1]:
        inner = contexts[-1].get(step)
        contexts.append(inner if isinstance(inner, dict) else {})
    for inside, step in zip(reversed(contexts), reversed(keys), strict=True):
        value = _arranged(run, {**inside, step: value})
    return value


@LIBRARY.define("context merge", "contexts: list|context", is_variadic=True)
@LIBRARY.define("put all", "contexts: list|context", is_variadic=True)
def _context_merge(run: Run, contexts: list[Value] | Context) -> Value:
    merged: Context = {}
    for context in [contexts] if isinstance(contexts, dict) else contexts:
        if not isinstance(context, dict):
            return None
        run.charge(len(context))
        merged.update(context)
    return _arranged(run, merged)


@LIBRARY.define("context", "entries")
def _context(run: Run, entries: Value) -> Value:
    made: Context = {}
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        return None
    run.charge(len(entries))
    for entry in entries:
        if not (isinstance(entry, dict) and "value" in entry):
            return None
        key = entry.get("key")
        if not isinstance(key, str):
            return None
        made[key] = entry["value"]
    return _arranged(run, made)
