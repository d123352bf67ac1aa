"""The writers of frames.

    frame    = u32 0 (one segment), u32 its words, the segment
    segment  = root pointer | root | its lists | values | contents | documents

An entry of the usual size, or a message about one thing, is written whole: its numbers go into one
mold, which is known by all that shapes the frame. Contents and documents, whose sizes are nobody's
shape, lie behind it. A longer frame, of which there is hardly a second one, is written list by
list, and these piece by piece, with the contents behind each list. Which way a frame goes depends
on it alone, so that equal ones have equal bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from struct import Struct
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import check_count
from grevy.protocol.layout import Layout, format_of
from grevy.protocol.limits import CODEC_MOLDS_CACHED, CODEC_PIECE_ITEMS_MAX
from grevy.protocol.list_writer import Split
from grevy.protocol.mold import Draft, Mold
from grevy.protocol.schemas import StructSchema
from grevy.protocol.shape import Content
from grevy.protocol.tables import TableWriter
from grevy.protocol.values import Value
from grevy.protocol.values_codec import VALUE_CODEC

__all__ = ["ROOT_AT", "Course", "Drafts", "Fields", "FrameWriter"]

T = TypeVar("T")

Fields: TypeAlias = dict[str, int | wire.Pointer]
"""The fields of a root by name: numbers, and what lies behind pointers."""

Drafts: TypeAlias = dict[str, int | tuple[int, Draft]]
"""The fields of a root that a mold holds: numbers, and pointers with what they point at, in the
order of their numbers.
"""

Course: TypeAlias = tuple[Hashable, Split[Any]]
"""What shapes a frame, but for its values: the structs of its list, and all else."""

_SEGMENT_SHIFT: Final = 32
ROOT_AT: Final = 2
"""The words of the frame before its root: the header and the pointer to the root."""


class FrameWriter(ABC, Generic[T]):
    """Writes one kind of frame. Who inherits writes the fields of the root, but for the two tables.

    Raises `struct.error` for a number that its field cannot hold.
    """

    NUMBERS: ClassVar[tuple[str, ...]]
    """The fields of the root that no mold holds, by their bits: numbers, and pointers to contents,
    of which documents are one.
    """

    def __init__(self, schema: StructSchema) -> None:
        layout = Layout(schema)
        self._words: Final = layout.words
        self._tag: Final = layout.tag
        self._slots: Final = {name: slot.moved(ROOT_AT) for name, slot in layout.slots.items()}
        # The header is the first number.
        self._content_words: Final = {
            place: self._slots[name].word
            for place, name in enumerate(self.NUMBERS, 1)
            if self._slots[name].is_pointer
        }
        self._documents: Final = self.NUMBERS.index("documents") + 1
        self._numbers: Final = [(0, "Q"), *[self._slots[name].number for name in self.NUMBERS]]
        fields = sorted(layout.slots, key=lambda name: layout.slots[name].at)
        self._pointers: Final = [name for name in fields if layout.slots[name].is_pointer]
        self._plain: Final = [name for name in fields if not layout.slots[name].is_pointer]
        assert not any(layout.slots[name].default for name in fields), "a root with defaults"
        numbers = [layout.slots[name].number for name in fields]
        plain = format_of(numbers, layout.words * wire.WORD)
        self._pack: Final = Struct("<IIQ" + plain).pack
        self._molds: Final[Cache[tuple[Course, Split[Value]], Mold]] = Cache(CODEC_MOLDS_CACHED)

    @abstractmethod
    def _split(
        self, content: T, tables: TableWriter, numbers: list[int], contents: list[Content]
    ) -> Course | None:
        """The shape of a frame; its numbers and contents are added. None: it is a long one."""

    @abstractmethod
    def _draft(self, content: T, course: Course) -> Drafts:
        """The mold for this course."""

    @abstractmethod
    def _fields(self, content: T, tables: TableWriter) -> Fields:
        """The root of a long frame."""

    def write(self, content: T) -> bytes:
        """A frame, whole if it can be."""
        return self.write_whole(content) or self.write_by_lists(content)

    def write_whole(self, content: T) -> bytes | None:
        """A frame in one piece; None when it is too long for that."""
        tables = TableWriter()
        numbers = [0]
        contents: list[Content] = []
        course = self._split(content, tables, numbers, contents)
        if course is None or len(tables.values) > CODEC_PIECE_ITEMS_MAX:
            return None
        values = tables.values
        key = course, VALUE_CODEC.writer.split(values, tables, numbers, contents)
        mold = self._molds.get(key)
        if mold is None:
            drafts = self._draft(content, course)
            if values:
                drafts["values"] = VALUE_CODEC.writer.draft(key[1], values)
            mold = Mold(self._lay(drafts))
            if all(splitter.is_kept(names) for splitter, names in (course[1], key[1])):
                self._molds.keep(key, mold)
        if tables.documents:
            check_count(tables.documents)
            numbers[self._documents], block = wire.documents(tables.documents)
            contents.append((self._documents, block))
        blocks = [block for _, block in contents]
        segment_words = mold.words - 1 + sum(map(len, blocks)) // wire.WORD
        numbers[0] = segment_words << _SEGMENT_SHIFT
        return b"".join(mold.pour(numbers, contents) + blocks)

    def _lay(self, drafts: Drafts) -> Draft:
        """The root and what it points at."""
        root = self._tag << wire.WORD_BITS
        root_bytes = (ROOT_AT + self._words) * wire.WORD
        whole = Draft(bytes(root_bytes), self._numbers)
        whole.pointers = dict(self._content_words)
        for name, field in drafts.items():
            slot = self._slots[name]
            if isinstance(field, int):
                root |= field << slot.at
            else:
                pointer, draft = field
                root |= pointer + wire.offset(whole.words - slot.word - 1) << slot.at
                whole.append(draft)
        whole.mask = root.to_bytes(root_bytes, "little") + whole.mask[root_bytes:]
        return whole

    def write_by_lists(self, content: T) -> bytes:
        """A frame of any length."""
        tables = TableWriter()
        fields = self._fields(content, tables)
        fields["values"] = VALUE_CODEC.writer.write(tables.values, tables)
        check_count(tables.documents)
        fields["documents"] = wire.documents(tables.documents)
        numbers = [fields[name] for name in self._plain]
        words, blocks = wire.row([fields[name] for name in self._pointers])  # type: ignore[misc]
        rest = b"".join(blocks)
        size = 1 + self._words + len(rest) // wire.WORD
        return self._pack(0, size, self._tag, *numbers, *words) + rest
