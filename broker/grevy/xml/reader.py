"""Bytes that a stranger sent, into a small tree of what a vocabulary has words for.

The only module that knows lxml. What could hurt is refused before or while it is parsed: a document
type (and with it every entity), encodings that hide one, too many bytes, elements, levels,
attributes or characters in one. The parser resolves no entity and opens no file and no connection.
Nothing here recurses. Diagrams and foreign content are left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree

from grevy.protocol.limits import (
    RESOURCE_BYTES_MAX,
    XML_ATTRIBUTE_BYTES_MAX,
    XML_ATTRIBUTES_MAX,
    XML_DEPTH_MAX,
    XML_ELEMENTS_MAX,
)
from grevy.xml.faults import UnreadableXml, quote
from grevy.xml.node import Node

_ENCODINGS: Final = frozenset(("utf-8", "ascii", "iso8859-1", "cp1252"))
"""Codecs, by Python's names, in which `<` is the byte that it looks like. UTF-16 is read when a
byte order mark says so."""

_DECLARATION: Final = re.compile(r"<\?xml[ \t\r\n][^>]{0,200}\?>")
_DECLARED_ENCODING: Final = re.compile(
    rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']"
)
_NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})
_BEFORE_ROOT: Final = re.compile(r"(?:\s|<!--.*?-->|<\?.*?\?>)*", re.DOTALL)


def read_xml(
    xml: bytes, vocabulary: Mapping[str, str], *, elements_max: int = XML_ELEMENTS_MAX
) -> Node:
    """The root of the document; raises `UnreadableXml` for what is no XML, or not harmless.

    `vocabulary` has the namespaces whose elements are read, each with the prefix that their names
    get in the tree.
    """
    if len(xml) > RESOURCE_BYTES_MAX:
        raise UnreadableXml(f"the file has {len(xml)} bytes; at most {RESOURCE_BYTES_MAX} are read")
    text = _decoded(xml)
    _refuse_document_type(text)
    # Cheap, and before any memory is spent: an element needs one '<', most need two.
    if text.count("<") > 2 * elements_max:
        raise UnreadableXml(f"the file has more than {elements_max} elements")
    return _tree(_parsed(text), vocabulary, elements_max)


def _decoded(xml: bytes) -> str:
    """The text without its XML declaration: what the parser reads has one encoding, ours."""
    try:
        if xml.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = xml.decode("utf-16")
        else:
            xml = xml.removeprefix(codecs.BOM_UTF8)
            text = xml.decode(_encoding(xml))
    except UnicodeDecodeError as error:
        raise UnreadableXml(
            f"the text is not {error.encoding} from byte {error.start} on"
        ) from None
    if "\0" in text:
        raise UnreadableXml("the text has NUL characters; UTF-16 needs a byte order mark")
    declaration = _DECLARATION.match(text)
    return text if declaration is None else text[declaration.end() :]


def _encoding(xml: bytes) -> str:
    declared = _DECLARED_ENCODING.match(xml)
    name = "utf-8" if declared is None else declared[1].decode("ascii")
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        raise UnreadableXml(f"the encoding '{quote(name)}' is not supported; use UTF-8")
    return encoding


def _refuse_document_type(text: str) -> None:
    """A document type can only stand before the root, after comments and instructions."""
    before = _BEFORE_ROOT.match(text)
    assert before is not None, "the pattern matches the empty text"
    if text.startswith("<!DOCTYPE", before.end()):
        raise UnreadableXml("the file has a document type (DOCTYPE), which is not allowed")


def _parsed(text: str) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableXml(
            f"the file is no well-formed XML: {quote(error.msg)}", error.lineno
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableXml("the file has a document type (DOCTYPE), which is not allowed")
    return root


def _tree(root: etree._Element, vocabulary: Mapping[str, str], elements_max: int) -> Node:
    """Copies what we read of the parser's tree, level by level."""
    names = _Names(vocabulary)
    top = _node(root, None, names)
    waiting = [(root, top, 1)]
    elements = 1
    while waiting:
        element, node, depth = waiting.pop()
        elements += len(element)
        if elements > elements_max:
            raise UnreadableXml(f"the file has more than {elements_max} elements")
        if depth >= XML_DEPTH_MAX:
            limit = f"more than {XML_DEPTH_MAX} elements inside each other"
            raise UnreadableXml(f"the file has {limit}", element.sourceline)
        copies: list[Node] = []
        node.children = copies
        for child in element:
            copy = _node(child, node, names)
            copies.append(copy)
            if child.tail is not None and not child.tail.isspace():
                node.text += child.tail
            if len(child) and not copy.name.startswith("{"):
                waiting.append((child, copy, depth + 1))
    return top


class _Names(dict[str, str]):
    """What tags are called in the tree, each put together once."""

    def __init__(self, vocabulary: Mapping[str, str]) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def __missing__(self, tag: str) -> str:
        namespace, brace, local = tag[1:].partition("}")
        if not brace:
            name = f"{{}}{tag}"
        elif namespace in self._vocabulary:
            name = self._vocabulary[namespace] + local
        else:
            name = tag
        self[tag] = name
        return name


def _node(element: etree._Element, parent: Node | None, names: _Names) -> Node:
    line = element.sourceline or 0
    name = names[str(element.tag)]
    return Node(name, line, _attributes(element, line), element.text or "", parent)


def _attributes(element: etree._Element, line: int) -> Mapping[str, str]:
    count = len(element.attrib)
    if count == 0:
        return _NO_ATTRIBUTES
    if count > XML_ATTRIBUTES_MAX:  # the parser's own access is quadratic in their number
        raise UnreadableXml(f"an element has more than {XML_ATTRIBUTES_MAX} attributes", line)
    attributes: dict[str, str] = {}
    for key, value in element.items():
        if len(value) > XML_ATTRIBUTE_BYTES_MAX:
            limit = f"at most {XML_ATTRIBUTE_BYTES_MAX} are read"
            raise UnreadableXml(f"an attribute has {len(value)} characters; {limit}", line)
        if not key.startswith("{"):
            attributes[key] = value
    return attributes
