"""From a BPMN file to executable processes: read, connect, validate."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.definitions import read_definitions
from grevy.bpmn.errors import InvalidModel
from grevy.bpmn.flows import connect
from grevy.bpmn.loops import straight_through_loops
from grevy.bpmn.model import Process
from grevy.bpmn.reading import Reading
from grevy.bpmn.scopes import Draft, read_process
from grevy.bpmn.structure import check_structure
from grevy.bpmn.validation import validate
from grevy.xml import Fault, Node, UnreadableXml, quote, read_xml

_VOCABULARY: Final = {
    "http://www.omg.org/spec/BPMN/20100524/MODEL": "",
    "http://camunda.org/schema/zeebe/1.0": "zeebe:",
}


def compile_processes(resource_name: str, xml: bytes) -> tuple[Process, ...]:
    """The executable processes of a file, in document order; others in it are skipped.

    Raises `InvalidModel` with every fault of every element, or with the one that keeps the file
    from being read. Pure: the same bytes give equal processes.
    """
    try:
        root = read_xml(xml, _VOCABULARY)
    except UnreadableXml as error:
        raise InvalidModel(resource_name, [Fault("", error.text, error.line)]) from None
    reading = Reading()
    drafts = _read_file(root, reading)
    if reading.faults:
        raise InvalidModel(resource_name, list(reading.faults))
    return tuple(draft.process for draft in drafts)


def _read_file(root: Node, reading: Reading) -> list[Draft]:
    if root.name != "definitions":
        reading.faults.add(
            root, f"Expected 'definitions' of BPMN 2.0 as root, but found '{quote(root.name)}'"
        )
        return []
    executable = [n for n in root.all("process") if reading.flag(n, "isExecutable")]
    if not executable:
        reading.faults.add(root, "Must contain at least one executable process")
    read_definitions(root, reading)
    check_structure(root, reading.faults)
    drafts = [read_process(node, reading) for node in executable]
    for draft in drafts:
        connect(draft, reading)
        validate(draft, reading.faults)
        for loop in straight_through_loops(draft.process):
            way = quote(" > ".join(loop))
            reading.faults.add(
                draft.nodes[draft.process.id],
                f"A straight-through loop never waits and never ends: {way}",
            )
    return drafts
