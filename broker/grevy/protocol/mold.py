"""The molds that numbers are poured into: what pieces of frames with the same shapes in the same
order have in common.

    list of structs = head | bodies                            | what is behind each
    list of unions  = head | (member's number, its pointer)... | the structs
    frame           = root | its lists

A mold is a mask for all of it, and a packer for all its numbers: what is poured costs one call to
pack, one XOR, and the splitting of its structs. Molds are kept by what they are made of, since the
same runs of structs come again and again: an entry of the log for each step of a process, a reply
for each command. Contents come behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, pack
from typing import Final

from grevy.protocol.shape import Content, Shape
from grevy.protocol.wire import UNION_WORDS, WORD, WORD_BITS, offset

__all__ = ["Draft", "Mold"]


class Draft:
    """A mold in the making. `form` packs its numbers, so many as `numbers` says; `pointers` are the
    words of pointers to contents, by their places among the numbers. The first words, `heads`, may
    be taken apart from the rest: adding `step` to the mask makes room for a word between the two.
    """

    __slots__ = ("form", "heads", "mask", "numbers", "pointers", "step")

    def __init__(self, form: str, mask: bytes, numbers: int = 0) -> None:
        self.form = form
        self.mask = mask
        self.numbers = numbers
        self.pointers: dict[int, int] = {}
        self.step = self.heads = 0

    @property
    def words(self) -> int:
        """The size."""
        return len(self.mask) // WORD

    def append(self, other: Draft) -> None:
        """Put another one behind; the heads are what they were."""
        for place, word in other.pointers.items():
            self.pointers[self.numbers + place] = self.words + word
        self.form += other.form
        self.mask += other.mask
        self.numbers += other.numbers

    @classmethod
    def of_structs(cls, shapes: Sequence[Shape], words: int) -> Draft:
        """Structs whose bodies have so many words; one only, if it has numbers behind its body."""
        draft = cls("".join([shape.form for shape in shapes]), b"")
        draft.heads = end = len(shapes) * words
        bodies: list[bytes] = []
        behind: list[bytes] = []
        for place, shape in enumerate(shapes):
            at = place * words
            shift = end - at - words
            whole = (shape.mask + shape.step * shift).to_bytes(shape.words * WORD, "little")
            bodies.append(whole[: words * WORD])
            behind.append(whole[words * WORD :])
            draft.step |= shape.step << at * WORD_BITS
            for rank, word in shape.contents:
                moved = word + at + (shift if word >= words else 0)
                draft.pointers[draft.numbers + rank] = moved
            draft.numbers += shape.numbers
            end += shape.words - words
        draft.mask = b"".join(bodies + behind)
        packed = sum([shape.packed_words for shape in shapes])
        draft.form += f"{(end - packed) * WORD}x"
        return draft

    @classmethod
    def of_union(cls, shapes: Sequence[Shape], members: Sequence[tuple[int, int]]) -> Draft:
        """Unions: of each, the shape, the member's number and the pointer to it."""
        end = len(shapes) * UNION_WORDS
        forms = [f"{end * WORD}x"]
        masks = [b""]
        heads: list[int] = []
        draft = cls("", b"")
        for shape, (number, tag) in zip(shapes, members, strict=True):
            heads += (number, tag + offset(end - len(heads) - UNION_WORDS))
            masks.append(shape.mask.to_bytes(shape.words * WORD, "little"))
            forms.append(f"{shape.form}{(shape.words - shape.packed_words) * WORD}x")
            for rank, word in shape.contents:
                draft.pointers[draft.numbers + rank] = end + word
            draft.numbers += shape.numbers
            end += shape.words
        masks[0] = pack(f"<{len(heads)}Q", *heads)
        draft.heads = len(heads)
        draft.step = int.from_bytes(pack("<QQ", 0, offset(1)) * len(shapes), "little")
        draft.form, draft.mask = "".join(forms), b"".join(masks)
        return draft


class Mold:
    """A piece of a frame, without its numbers and contents; `heads` and `rest_words` are the words
    of its two parts.
    """

    __slots__ = ("_contents", "_mask", "_pack", "_size", "_step", "heads", "rest_words")

    def __init__(self, draft: Draft) -> None:
        self._pack: Final = Struct("<" + draft.form).pack
        self._mask: Final = int.from_bytes(draft.mask, "little")
        self._step: Final = draft.step
        self._size: Final = len(draft.mask)
        self.heads: Final = draft.heads
        self.rest_words: Final = draft.words - draft.heads
        # Of each pointer to a content, by its place among the numbers: the words behind it, and
        # whether it is among the heads.
        self._contents: Final = {
            place: (draft.words - word - 1, word < draft.heads)
            for place, word in draft.pointers.items()
        }

    def pour(
        self, numbers: list[int], contents: list[Content], shift: int = 0, gap: int = 0
    ) -> list[bytes]:
        """The piece, and its contents. `shift` more words come between its heads and the rest,
        `gap` words between it and the contents. `numbers` is used up.
        """
        blocks = [b""]
        end = gap
        for place, block in contents:
            distance, is_head = self._contents[place]
            numbers[place] += offset(distance + end + (shift if is_head else 0))
            blocks.append(block)
            end += len(block) // WORD
        mask = self._mask + self._step * shift if shift else self._mask
        packed = self._pack(*numbers)
        blocks[0] = (int.from_bytes(packed, "little") ^ mask).to_bytes(self._size, "little")
        return blocks
