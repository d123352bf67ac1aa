"""The molds that numbers are poured into: what pieces of frames with the same shapes in the same
order have in common.

    list of structs = head | bodies                            | what is behind each
    list of unions  = head | (member's number, its pointer)... | the structs
    frame           = header | root | its lists

Of a piece, most words are constant, and the numbers lie in a few runs of words between. Only these
are packed and XORed, all at once, and then put between the constants. Molds are kept by what they
are made of, since the same runs of structs come again and again: an entry of the log for each step
of a process, a reply for each command. Contents come behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct, pack
from typing import Final

from grevy.protocol.layout import Number, format_of
from grevy.protocol.shape import Content, Shape
from grevy.protocol.wire import UNION_WORDS, WORD, WORD_BITS, offset, packer

__all__ = ["Draft", "Mold"]


class Draft:
    """A mold in the making: a mask, and where its numbers lie, by rising bytes. `pointers` are the
    words of pointers to contents, by their places among the numbers. The first words, `heads`, may
    be taken apart from the rest: adding `step` to the mask makes room for a word between the two.
    """

    __slots__ = ("heads", "mask", "numbers", "pointers", "step")

    def __init__(self, mask: bytes, numbers: Iterable[Number] = ()) -> None:
        self.mask = mask
        self.numbers = list(numbers)
        self.pointers: dict[int, int] = {}
        self.step = self.heads = 0

    @property
    def words(self) -> int:
        """The size."""
        return len(self.mask) // WORD

    def append(self, other: Draft) -> None:
        """Put another one behind; the heads are what they were."""
        for place, word in other.pointers.items():
            self.pointers[len(self.numbers) + place] = self.words + word
        size = len(self.mask)
        self.numbers += [(size + at, letter) for at, letter in other.numbers]
        self.mask += other.mask

    def _add(self, shape: Shape, word: int, words: int, behind: int) -> None:
        """Add the numbers of a struct whose body of so many words begins at a word; what is behind
        its body comes so many words later.
        """
        rank = len(self.numbers)
        for at, letter in shape.numbers:
            moved = word + (behind if at >= words * WORD else 0)
            self.numbers.append((at + moved * WORD, letter))
        for content, at in shape.contents:
            self.pointers[rank + content] = at + word + (behind if at >= words else 0)

    @classmethod
    def of_structs(cls, shapes: Sequence[Shape], words: int) -> Draft:
        """Structs whose bodies have so many words; one only, if it has numbers behind its body."""
        draft = cls(b"")
        draft.heads = end = len(shapes) * words
        bodies: list[bytes] = []
        rests: list[bytes] = []
        for place, shape in enumerate(shapes):
            at = place * words
            shift = end - at - words
            whole = (shape.mask + shape.step * shift).to_bytes(shape.words * WORD, "little")
            bodies.append(whole[: words * WORD])
            rests.append(whole[words * WORD :])
            draft.step |= shape.step << at * WORD_BITS
            draft._add(shape, at, words, shift)
            end += shape.words - words
        draft.mask = b"".join(bodies + rests)
        return draft

    @classmethod
    def of_union(cls, shapes: Sequence[Shape], members: Sequence[tuple[int, int]]) -> Draft:
        """Unions: of each, the shape, the member's number and the pointer to it."""
        draft = cls(b"")
        draft.heads = end = len(shapes) * UNION_WORDS
        masks: list[bytes] = []
        heads: list[int] = []
        for shape, (number, tag) in zip(shapes, members, strict=True):
            heads += (number, tag + offset(end - len(heads) - UNION_WORDS))
            masks.append(shape.mask.to_bytes(shape.words * WORD, "little"))
            draft._add(shape, end, shape.words, 0)
            end += shape.words
        draft.step = int.from_bytes(pack("<QQ", 0, offset(1)) * len(shapes), "little")
        draft.mask = b"".join([pack(f"<{len(heads)}Q", *heads), *masks])
        return draft


class Mold:
    """A piece of a frame, without its numbers and contents. `words`: its size; `heads` and
    `rest_words`: those of its two parts.
    """

    __slots__ = (
        "_contents",
        "_cut",
        "_mask",
        "_packer",
        "_parts",
        "_size",
        "_step",
        "heads",
        "rest_words",
        "words",
    )

    def __init__(self, draft: Draft) -> None:
        constants: list[bytes] = []
        masks: list[bytes] = []
        moves: dict[int, int] = {}  # of each word with a number: the constant words before it
        end = constant_words = 0
        for run in _runs(draft.numbers):
            constant_words += run.start - end
            constants.append(draft.mask[end * WORD : run.start * WORD])
            masks.append(draft.mask[run.start * WORD : run.stop * WORD])
            moves |= dict.fromkeys(run, constant_words)
            end = run.stop
        numbers = [(at - moves[at // WORD] * WORD, letter) for at, letter in draft.numbers]
        mask = b"".join(masks)
        self._packer: Final = packer(format_of(numbers, len(mask)))
        self._size: Final = len(mask)
        self._mask: Final = int.from_bytes(mask, "little")
        self._cut: Final = Struct("".join([f"{len(mask)}s" for mask in masks])).unpack
        # Constants and the masks of runs by turns; a constant is the last.
        self._parts: Final = [b""] * (2 * len(masks) + 1)
        self._parts[::2] = [*constants, draft.mask[end * WORD :]]
        self._parts[1::2] = masks
        self._step: Final = draft.step
        self.words: Final = draft.words
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
        """The piece, in parts; its contents come behind. `shift` more words come between its heads
        and the rest, `gap` words between it and the contents. `numbers` is used up.
        """
        end = gap
        for place, block in contents:
            distance, is_head = self._contents[place]
            numbers[place] += offset(distance + end + (shift if is_head else 0))
            end += len(block) // WORD
        runs = self._packer.pack(*numbers)
        if self._mask:
            runs = (int.from_bytes(runs, "little") ^ self._mask).to_bytes(self._size, "little")
        parts = self._parts.copy()
        parts[1::2] = self._cut(runs)
        if shift:
            block = b"".join(parts)
            moved = int.from_bytes(block, "little") + self._step * shift
            return [moved.to_bytes(len(block), "little")]
        return parts


def _runs(numbers: Sequence[Number]) -> list[range]:
    """The runs of words that hold numbers. A single word between two belongs to the run: to put it
    there would cost more.
    """
    runs: list[range] = []
    for at, _ in numbers:
        word = at // WORD
        if runs and word <= runs[-1].stop + 1:
            runs[-1] = range(runs[-1].start, word + 1)
        else:
            runs.append(range(word, word + 1))
    return runs
