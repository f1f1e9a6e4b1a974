"""Where a printed tree breaks its lines: the finishing touch before `wadler_lindig` lays a document out.

`wadler_lindig` prints a group of a document on the current line if the group fits there, without looking at what comes
after it. In `[[1, 2], [3, 4]]` a comma follows the first inner list; without room for it the line is a column too wide.
It also sees a place to break the line between a key and its value, which separates `'layers':` from the bracket that
the value starts with. So documents are rewritten: unbroken text that follows a group joins it, and a key stays with
its value.
"""

import dataclasses
from typing import Final

from wadler_lindig import AbstractDoc, BreakDoc, ConcatDoc, GroupDoc, NestDoc, TextDoc

_COLON: Final = TextDoc(":")
_SPACE: Final = BreakDoc(" ")


def lay_out_strictly(document: AbstractDoc) -> AbstractDoc:
    """Rewrite a document such that the text right after a group counts as part of it, and keys stay with their values.

    **Arguments:**

    - `document`: any document; it is not modified.

    **Returns:**

    A document with the same text, which breaks at the same places or fewer.

    **Example**
    ```python
    >>> from wadler_lindig import pdoc, pformat
    >>> document = pdoc([[1, 2], [3, 4]])
    >>> print(pformat(document, width=8))
    [
      [1, 2],
      [3, 4]
    ]
    >>> print(pformat(lay_out_strictly(document), width=8))
    [
      [
        1, 2
      ],
      [3, 4]
    ]

    ```
    """
    # From right to left, so that what follows a group is known when the group is met; and without recursion, because
    # documents are several times as deep as the trees they stand for.
    todo: list[AbstractDoc | None] = [document]
    enclosing: list[tuple[GroupDoc | NestDoc, list[AbstractDoc]]] = []
    rightmost_first: list[AbstractDoc] = []
    while todo:
        match todo.pop():
            case ConcatDoc(children=children):
                todo.extend(children)
            case GroupDoc() | NestDoc() as opened:
                following = _pop_text(rightmost_first)
                enclosing.append((opened, rightmost_first))
                rightmost_first = following
                todo += [None, opened.child]
            case None:
                # What the group starts with may follow another group, so it leaves the one for the other.
                leading = _pop_text(rightmost_first)
                opened, outside = enclosing.pop()
                if rightmost_first:
                    outside.append(dataclasses.replace(opened, child=_concatenate(rightmost_first)))
                outside.extend(leading)
                rightmost_first = outside
            case piece:
                if piece == _COLON and rightmost_first and rightmost_first[-1] == _SPACE:
                    rightmost_first[-1] = TextDoc(" ")
                rightmost_first.append(piece)
    return _concatenate(rightmost_first)


def _pop_text(rightmost_first: list[AbstractDoc]) -> list[AbstractDoc]:
    """Take away the unbroken text at the left end."""
    start = len(rightmost_first)
    while start > 0 and isinstance(rightmost_first[start - 1], TextDoc):
        start -= 1
    text = rightmost_first[start:]
    del rightmost_first[start:]
    return text


def _concatenate(rightmost_first: list[AbstractDoc]) -> ConcatDoc:
    return ConcatDoc(children=tuple(reversed(rightmost_first)))  # type: ignore[no-untyped-call] # it has no annotations
