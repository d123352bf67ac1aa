"""Shapes: what structs of one kind with the same names have in common."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from grevy.protocol.layout import Number

__all__ = ["Content", "Shape"]

Content: TypeAlias = tuple[int, bytes]
"""What lies behind a pointer and is no part of a shape: the place of the pointer among the numbers,
and the block.
"""


class Shape(Struct, frozen=True, eq=False, gc=False):
    """A struct on the wire without its numbers.

        body | bodies of the structs behind its pointers | its names

    `numbers` says where its numbers lie, by rising bytes. `mask` is all else, down to `words`.
    Adding `step` to it makes the offsets of the body's pointers one longer, for when something
    comes between the body and the rest. `contents`: rank among the numbers, and word, of each
    pointer to a content. `is_kept`: the next such struct will have this very shape.
    """

    numbers: tuple[Number, ...]
    words: int
    mask: int
    step: int
    contents: tuple[tuple[int, int], ...]
    is_kept: bool
