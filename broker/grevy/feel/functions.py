"""Compiling calls and definitions of functions. See `compiler` for the whole."""

from __future__ import annotations

from collections.abc import Callable
from decimal import DecimalException
from typing import Final, TypeAlias

from grevy.feel import ast
from grevy.feel.builtins import Builtin, CallFailed, builtins_of
from grevy.feel.errors import EvaluationStopped, FeelFormatError
from grevy.feel.scope import Code, Run, Scope
from grevy.feel.text import shown
from grevy.feel.values import FeelFunction, Value

Build: TypeAlias = Callable[[ast.Node], Code]
Arguments: TypeAlias = tuple[Code, ...]


def build_function(node: ast.FunctionOf, build: Build) -> Code:
    """`function(a, b) body`: keeps the scope in which it was made."""
    body, parameters = build(node.body), node.parameters
    height, size = ast.measure(node.body)

    def define(scope: Scope) -> Value:
        def invoke(arguments: list[Value]) -> Value:
            run = scope.run
            run.charge(size + 1)
            run.enter(height)
            try:
                return body(Scope(dict(zip(parameters, arguments, strict=True)), scope, run))
            finally:
                run.leave(height)

        return FeelFunction(parameters, invoke)

    return define


def build_call(node: ast.Call, build: Build) -> Code:
    """A call by name, of an entry of a context, or of a function that an expression gives."""
    arguments = tuple(map(build, node.arguments))
    fits = _fit(len(arguments), node.names)
    if node.base is not None:
        return _call_in(build(node.base), node, arguments, fits)
    builtin = _choose_builtin(node)
    name, names = node.name, node.names

    def call_own(scope: Scope, function: FeelFunction) -> Value:
        return function.invoke(_in_order(scope, function.parameters, arguments, names))

    if builtin is None:
        missing = _not_found(node)

        def call(scope: Scope) -> Value:
            function = scope.find_function(name, fits)
            if function is not None:
                return call_own(scope, function)
            scope.run.warn("NO_FUNCTION_FOUND", missing)
            return None

        return call
    invoke = _invocation(builtin, arguments, names)

    def call_builtin(scope: Scope) -> Value:
        around: Scope | None = scope
        while around is not None:  # as `find_function`, for a name that is next to never taken
            if name in around.names:
                function = around.find_function(name, fits)
                if function is not None:
                    return call_own(scope, function)
                break
            around = around.parent
        return invoke(scope)

    return call_builtin


def _call_in(
    base: Code, node: ast.Call, arguments: Arguments, fits: Callable[[FeelFunction], bool]
) -> Code:
    """`base.name(…)`, or `base(…)`."""
    name, names, missing = node.name, node.names, _not_found(node)

    def call(scope: Scope) -> Value:
        function = _function_in(scope.run, base(scope), name, fits)
        if function is not None:
            return function.invoke(_in_order(scope, function.parameters, arguments, names))
        scope.run.warn("NO_FUNCTION_FOUND", missing)
        if name:
            raise EvaluationStopped(missing)
        return None

    return call


def _invocation(builtin: Builtin, arguments: Arguments, names: tuple[str, ...]) -> Code:
    """Calls a built-in. Those with one or two arguments by position are nearly all there are."""
    if not names and not builtin.is_variadic:
        if len(arguments) == 1:
            return _of_one(builtin, arguments[0])
        if len(arguments) == 2:
            return _of_two(builtin, *arguments)
        return lambda scope: _call_builtin(
            scope.run, builtin, [argument(scope) for argument in arguments]
        )
    if not names and len(arguments) == len(builtin.parameters) == 1:
        return _of_list(builtin, arguments[0])

    def call(scope: Scope) -> Value:
        return _call_builtin(scope.run, builtin, _builtin_values(scope, builtin, arguments, names))

    return call


def _of_one(builtin: Builtin, argument: Code) -> Code:
    implementation, types = builtin.implementation, builtin.types[0]

    def call(scope: Scope) -> Value:
        value = argument(scope)
        if types is None or type(value) in types:
            try:
                return implementation(scope.run, value)
            except _FAILURES as failure:
                return _failed(scope.run, builtin, failure)
        return _call_builtin(scope.run, builtin, [value])

    return call


def _of_two(builtin: Builtin, first: Code, second: Code) -> Code:
    implementation, (types, other_types) = builtin.implementation, builtin.types

    def call(scope: Scope) -> Value:
        value, other = first(scope), second(scope)
        if (types is None or type(value) in types) and (
            other_types is None or type(other) in other_types
        ):
            try:
                return implementation(scope.run, value, other)
            except _FAILURES as failure:
                return _failed(scope.run, builtin, failure)
        return _call_builtin(scope.run, builtin, [value, other])

    return call


def _of_list(builtin: Builtin, argument: Code) -> Code:
    """A variadic one with a list, or with one value that is the list's only item."""
    implementation = builtin.implementation

    def call(scope: Scope) -> Value:
        value = argument(scope)
        try:
            return implementation(scope.run, value if type(value) is list else [value])
        except _FAILURES as failure:
            return _failed(scope.run, builtin, failure)

    return call


def _choose_builtin(node: ast.Call) -> Builtin | None:
    """Of the forms whose parameters take the arguments the shortest, and of those the first."""
    names, count = set(node.names), len(node.arguments)
    fitting = [
        builtin
        for builtin in builtins_of(node.name)
        if (names <= set(builtin.parameters) if names else builtin.takes(count))
    ]
    return min(fitting, key=lambda builtin: len(builtin.parameters), default=None)


def _fit(count: int, names: tuple[str, ...]) -> Callable[[FeelFunction], bool]:
    if names:
        return lambda function: set(names) <= set(function.parameters)
    return lambda function: len(function.parameters) == count


def _function_in(
    run: Run, base: Value, name: str, fits: Callable[[FeelFunction], bool]
) -> FeelFunction | None:
    """A function of a context, or the base itself. As in Zeebe, there is no null for a function of
    something else, but a failure.
    """
    if name and not isinstance(base, dict):
        problem = f"Expected context but found '{shown(base)}'"
        run.warn("INVALID_TYPE", problem)
        raise EvaluationStopped(problem)
    found = base.get(name) if isinstance(base, dict) and name else base
    return found if isinstance(found, FeelFunction) and fits(found) else None


def _not_found(node: ast.Call) -> str:
    if node.names:
        what = f"parameters: {','.join(node.names)}"
    else:
        what = f"{len(node.arguments)} parameters"
    return f"No function found with name '{node.name}' and {what}"


def _in_order(
    scope: Scope, parameters: tuple[str, ...], arguments: Arguments, names: tuple[str, ...]
) -> list[Value]:
    """The values in the order of the parameters; what is not named is null."""
    if not names:
        return [argument(scope) for argument in arguments]
    values = {name: argument(scope) for name, argument in zip(names, arguments, strict=True)}
    return [values.get(parameter) for parameter in parameters]


def _builtin_values(
    scope: Scope, builtin: Builtin, arguments: Arguments, names: tuple[str, ...]
) -> list[Value]:
    values = _in_order(scope, builtin.parameters, arguments, names)
    if names or not builtin.is_variadic:
        return values
    fixed = len(builtin.parameters) - 1
    rest = values[fixed:]
    if fixed == 0 and len(rest) == 1 and isinstance(rest[0], list):
        return rest
    return [*values[:fixed], rest]


_FAILURES: Final = (CallFailed, DecimalException, FeelFormatError)


def _call_builtin(run: Run, builtin: Builtin, values: list[Value]) -> Value:
    try:
        return builtin.invoke(run, values)
    except _FAILURES as failure:
        return _failed(run, builtin, failure)


def _failed(run: Run, builtin: Builtin, failure: Exception) -> Value:
    problem = failure.message if isinstance(failure, CallFailed) else "the result is out of range"
    run.warn(
        "FUNCTION_INVOCATION_FAILURE", f"Failed to invoke function '{builtin.name}': {problem}"
    )
    return None
