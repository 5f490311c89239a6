"""`Vec`: a vector of numbers (or of structs of numbers) in a shared struct, and what its elements are.

A MutableSequence whose elements numpy sees without a copy. `plain` makes values of fields and
elements of what users have.
"""

import collections.abc
import enum
import operator
from typing import Any, Iterator, List, Optional

from ._elements import Element

__all__ = ["Vec", "field_names", "is_dataclass", "plain"]

_CHUNK = 256


def is_dataclass(value: Any) -> bool:
    """As in `dataclasses`, which need not be imported for it."""
    return hasattr(value if isinstance(value, type) else type(value), "__dataclass_fields__")


def field_names(value: Any) -> List[str]:
    """The names of the fields of a dataclass, or of a struct out of a vector."""
    if isinstance(value, Element):
        return list(value._fields)
    import dataclasses  # only now: it takes a fifth of what an import of shm_py would

    return [field.name for field in dataclasses.fields(value)]


def plain(value: Any) -> Any:
    """A value for a field, of what users have: members of enums, arrays, vectors, dataclasses."""
    if type(value) in (int, float, str, bool, bytes, type(None)):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if type(value) is list:
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if hasattr(type(value), "__shm_schema__"):
        return tuple(plain(getattr(value, name)) for name in field_names(value))
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, name)) for name in field_names(value))
    if isinstance(value, Vec):
        return value._core.chunk(0, 2**63)
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


class Vec(collections.abc.MutableSequence):  # type: ignore[type-arg]
    """A vector of numbers, or of structs of numbers, in a shared struct.

    `numpy()` (or `numpy.asarray`) sees the elements without a copy; the array is live until the
    vector grows, which gives it other memory: then ask again. An element that is a struct is a copy, a tuple
    whose items have names (`s.points[0].x`); it is assigned as a whole.
    """

    __slots__ = ("_core",)

    def __init__(self, core: Any) -> None:
        self._core = core

    def __len__(self) -> int:
        return len(self._core)

    def _index(self, index: Any) -> int:
        at = operator.index(index)
        length = len(self._core)
        if at < 0:
            at += length
        if not 0 <= at < length:
            raise IndexError(f"vector index {index} out of range of {length}")
        return at

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._core.chunk(0, 2**63)[index]
        found = self._core.chunk(self._index(index), 1)
        if not found:
            raise IndexError(f"vector index {index} out of range")
        return found[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            self._core.set(self._index(index), plain(value))
            return
        start, stop, step = index.indices(len(self._core))
        values = self._elements(value)
        if step == 1:
            self._core.splice(start, max(start, stop), values)
            return
        everything = self._core.chunk(0, 2**63)
        everything[index] = values
        self._core.splice(0, 2**62, everything)

    def __delitem__(self, index: Any) -> None:
        if not isinstance(index, slice):
            at = self._index(index)
            self._core.splice(at, at + 1, [])
            return
        start, stop, step = index.indices(len(self._core))
        if step == 1:
            self._core.splice(start, max(start, stop), [])
            return
        everything = self._core.chunk(0, 2**63)
        del everything[index]
        self._core.splice(0, 2**62, everything)

    def _elements(self, values: Any) -> List[Any]:
        values = plain(values)
        return [plain(value) for value in values]

    def insert(self, index: int, value: Any) -> None:
        """Insert before an index."""
        at = slice(index, None).indices(len(self._core))[0]
        self._core.splice(at, at, [plain(value)])

    def append(self, value: Any) -> None:
        """Append an element."""
        self._core.splice(2**62, 2**62, [plain(value)])

    def extend(self, values: Any) -> None:
        """Append elements, all or none; an array of the same dtype is copied as it is."""
        if hasattr(values, "__array_interface__"):
            import numpy

            values = numpy.ascontiguousarray(values, numpy.dtype(self._core.dtype()))
            self._core.splice_bytes(2**60, 2**60, values.tobytes())
            return
        self._core.splice(2**60, 2**60, self._elements(values))

    def clear(self) -> None:
        """Remove all elements."""
        self._core.splice(0, 2**60, [])

    def __iter__(self) -> Iterator[Any]:
        at = 0
        while True:
            chunk = self._core.chunk(at, _CHUNK)
            if not chunk:
                return
            yield from chunk
            at += len(chunk)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, (Vec, list, tuple)):
            return self._core.chunk(0, 2**63) == list(other)
        return NotImplemented

    def to_py(self) -> List[Any]:
        """A built-in list of the elements, of one moment."""
        return list(self._core.chunk(0, 2**63))

    def numpy(self) -> Any:
        """A numpy array on the elements, without a copy."""
        import numpy

        return numpy.frombuffer(self._core.bytes(), numpy.dtype(self._core.dtype()))

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"an array of {dtype} needs a copy of a vector of {array.dtype}")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __repr__(self) -> str:
        shown = self._core.chunk(0, 20)
        more = len(self) - len(shown)
        inside = ", ".join(map(repr, shown)) + (f", ... {more} more" if more > 0 else "")
        return f"Vec([{inside}])"
