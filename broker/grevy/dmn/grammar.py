"""Which elements stand in which, and the ids of a file: what makes it wrong before it is read.

A line of `_TABLE` is `name name | children`; `BOX` stands for any expression. Elements that are not
in the table are not looked into.
"""

from __future__ import annotations

import re
from typing import Final

from grevy.protocol.limits import NAME_CHARS_MAX
from grevy.xml import Faults, Node, quote

_BOX: Final = (
    "literalExpression decisionTable context list relation invocation functionDefinition "
    "conditional filter for every some"
)
_COMMON: Final = "description extensionElements"

_TABLE: Final = """
definitions | import itemDefinition decision businessKnowledgeModel inputData knowledgeSource \
    decisionService elementCollection performanceIndicator organizationUnit textAnnotation \
    association group businessContextElement
decision | question allowedAnswers variable informationRequirement knowledgeRequirement \
    authorityRequirement supportedObjective impactedPerformanceIndicator decisionMaker \
    decisionOwner usingProcess usingTask BOX
businessKnowledgeModel | variable encapsulatedLogic knowledgeRequirement authorityRequirement
inputData | variable
decisionService | variable outputDecision encapsulatedDecision inputDecision inputData
informationRequirement | requiredDecision requiredInput
knowledgeRequirement | requiredKnowledge
encapsulatedLogic functionDefinition | formalParameter BOX
literalExpression | text importedValues
decisionTable | input output annotation rule
input | inputExpression inputValues
inputExpression | text importedValues
output | outputValues defaultOutputEntry
inputEntry | text
outputEntry defaultOutputEntry | text importedValues
rule | inputEntry outputEntry annotationEntry
context | contextEntry
contextEntry | variable BOX
list row | BOX
relation | column row
invocation | BOX binding
binding | parameter BOX
"""

_ID: Final = re.compile(r"[^\W\d][\w.\-\u00b7]*")

_NEED_ID: Final = frozenset(("decision", "businessKnowledgeModel"))


def _grammar() -> dict[str, frozenset[str]]:
    found = {}
    for line in _TABLE.strip().splitlines():
        names, children = line.split("|")
        allowed = frozenset(f"{children} {_COMMON}".replace("BOX", _BOX).split())
        for name in names.split():
            found[name] = allowed
    return found


_GRAMMAR: Final = _grammar()


def check_grammar(root: Node, faults: Faults) -> None:
    """Adds a fault for each element that stands where it cannot, and for bad and repeated ids."""
    known: dict[str, Node] = {}
    level = [root]
    while level:
        below = []
        for node in level:
            if node.attributes or node.name in _NEED_ID:
                _check_id(node, known, faults)
            allowed = _GRAMMAR.get(node.name) if node.children else None
            if allowed is not None:
                below += _children(node, allowed, faults)
        level = below


def _children(node: Node, allowed: frozenset[str], faults: Faults) -> list[Node]:
    found = []
    for child in node.children:
        if child.name in allowed:
            found.append(child)
        elif not child.name.startswith("{http"):
            faults.add(
                child, f"The element '{quote(child.name)}' cannot stand in '{quote(node.name)}'"
            )
    return found


def _check_id(node: Node, known: dict[str, Node], faults: Faults) -> None:
    if not node.id:
        if node.name in _NEED_ID:
            faults.add(node, f"The element '{node.name}' must have an id")
    elif len(node.id) > NAME_CHARS_MAX:
        faults.add(
            node, f"The id has {len(node.id)} characters; at most {NAME_CHARS_MAX} are allowed"
        )
    elif not _ID.fullmatch(node.id):
        faults.add(node, "The id must be a letter or '_', then letters, digits, '_', '-' or '.'")
    elif node.id in known:
        faults.add(
            node, f"The id '{quote(node.id)}' is taken by the element in line {known[node.id].line}"
        )
    else:
        known[node.id] = node
