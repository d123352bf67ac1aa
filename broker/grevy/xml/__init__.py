"""XML that a stranger sent, into a small tree, and the report of what is wrong in it.

    root = read_xml(data, vocabulary)  # raises UnreadableXml
    faults = Faults()
    faults.add(root.children[0], "…")

What `bpmn` and `dmn` share. The only room that knows lxml.
"""

from grevy.xml.faults import Fault, Faults, UnreadableXml, quote, report
from grevy.xml.node import Node
from grevy.xml.reader import read_xml

__all__ = ["Fault", "Faults", "Node", "UnreadableXml", "quote", "read_xml", "report"]
