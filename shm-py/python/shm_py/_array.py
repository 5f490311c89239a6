"""`seg.array(...)`, and the elements of an `Array`: all of them, some, as numpy's and as Python's.

numpy is used where it is installed, from the first thing on that needs it, and is needed for nothing
that memoryview can do with numbers of the usual types. Whatever has a view of the elements (a numpy array, a
memoryview) has them where they are: it keeps the segment open, and stores through it are seen by all at
once and guarded by nothing.
"""

import operator
import struct
from typing import Any, Iterator, List, Tuple

from . import _native
from ._dtypes import CODES, HALF, TYPES, Refused, described, element, needed, numpy, of_numbers, of_text
from ._native import Array, Segment
from .errors import Closed, SegmentCorrupt, UnsupportedType

__all__: List[str] = []

#: Most elements that a repr shows, most characters of one of them, and of the whole.
_SHOWN = 20
_SHOWN_ELEMENT = 80
_SHOWN_TEXT = 2000


def array(self: Segment, shape: Any, dtype: Any = None) -> Array:
    """A new shared array: of zeros for a shape (an int or a tuple), else a copy of an array-like."""
    try:
        if not isinstance(shape, tuple) and not _is_index(shape):
            return _copy(self, shape, dtype)
        code, size, text, inner = element("float64" if dtype is None else dtype)
    except Refused as refused:
        error = UnsupportedType(f"array: cannot share {refused}")
        error.path, error.type_name = "array", str(refused)
        raise error from None
    wanted = shape if isinstance(shape, tuple) else (shape,)
    extents = [operator.index(extent) for extent in wanted]
    if any(extent < 0 for extent in extents):
        raise ValueError(f"negative dimensions are not allowed: {shape}")
    if any(extent >= 1 << 63 for extent in extents):
        raise ValueError(f"an array of shape {shape} is too large")
    return _native._new_array(self, [*extents, *inner], code, size, text)


def _is_index(value: Any) -> bool:
    return hasattr(value, "__index__") and not hasattr(value, "__len__")


def _copied_in(segment: Segment, value: Any) -> Any:
    """The copy of an array that is stored, or in words why there is none."""
    try:
        return _copy(segment, value, None)
    except Refused as refused:
        return str(refused)


def _copy(segment: Segment, value: Any, dtype: Any) -> Array:
    np = numpy()
    if np is None:
        return _copy_plain(segment, value, dtype)
    if isinstance(value, np.ma.MaskedArray):
        raise Refused(f"{type(value)}: its mask would be lost, so fill it with filled(...)")
    if isinstance(value, Array):
        value = view(value)
    if isinstance(value, bytes):
        value = memoryview(value)
    wanted = None
    if dtype is not None:
        code, _, text, inner = element(dtype)
        wanted = np.dtype((np.dtype(TYPES[code][0]) if code else of_text(text), inner))
    source = np.asarray(value, wanted)
    code, size, text = described(source.dtype)
    flat = np.ascontiguousarray(source).reshape(-1).view(np.uint8)
    return _native._new_array(segment, list(source.shape), code, size, text, flat)


def _copy_plain(segment: Segment, value: Any, dtype: Any) -> Array:
    """The same without numpy: of what has a buffer of numbers, or of numbers in a row."""
    try:
        content = memoryview(value)
    except TypeError:
        numbers = list(value)
        shared = array(segment, len(numbers), of_numbers(numbers) if dtype is None else dtype)
        for index, number in enumerate(numbers):
            shared[index] = number
        return shared
    code = CODES.get(content.format.lstrip("<=@"))
    if code is None:
        raise Refused(f"{type(value)} of elements {content.format!r}")
    name, size, _ = TYPES[code]
    if dtype is not None and element(dtype)[0] != code:
        raise TypeError(f"making {dtype!r} of {name} takes numpy, which is not installed")
    shape = list(content.shape or ())
    return _native._new_array(segment, shape, code, size, "", content.tobytes())


def dtype(self: Array) -> Any:
    """The type of the elements: numpy's dtype, or its name where numpy is not installed."""
    code, name = self._type
    np = numpy()
    if np is None:
        return name
    if code:
        return np.dtype(name)
    try:
        found = of_text(name)
    except Exception as error:  # Whatever text somebody put there.
        raise SegmentCorrupt(f"no dtype is described by {name[:60]!r}") from error
    if found.hasobject or found.itemsize != self.itemsize:
        raise SegmentCorrupt(f"{name[:60]!r} describes no elements of {self.itemsize} bytes")
    return found


def view(self: Array) -> Any:
    """A numpy array on the elements, without a copy."""
    np = needed("this")
    if self._type[0]:
        return np.asarray(memoryview(self))
    kind = dtype(self)
    return np.asarray(memoryview(self._bytes())).view(kind).reshape(self.shape)


def _get(self: Array, key: Any) -> Any:
    """`array[key]`, but for single numbers: numpy's, a view where numpy gives one."""
    if numpy() is not None:
        return view(self) if key is Ellipsis else view(self)[key]
    content = memoryview(self)
    if key is Ellipsis or key == slice(None):
        return content
    if self.ndim > 1 and _is_index(key):
        return _row(self, operator.index(key))
    return content[key]


def _row(self: Array, index: int) -> memoryview:
    """One part of the first dimension, where numpy is not installed."""
    length = len(self)
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of bounds for axis 0 with size {length}")
    size = self.nbytes // length
    start = index % length * size
    row = memoryview(self._bytes())[start : start + size]
    return row.cast(TYPES[self._type[0]][2], self.shape[1:])  # type: ignore[call-overload,no-any-return]


def _set(self: Array, key: Any, value: Any) -> None:
    """`array[key] = value`, but for plain numbers at one place."""
    if numpy() is not None:
        view(self)[key] = value
        return
    place = self._place(key)
    if place is not None and self._type[0] == HALF:
        self._store(place, int.from_bytes(struct.pack("<e", value), "little"))
        return
    is_number = isinstance(value, (int, float, complex))
    if place is None and is_number and (key is Ellipsis or key == slice(None)):
        fill(self, value)
        return
    content = memoryview(self)
    if place is None and not is_number:
        content[slice(None) if key is Ellipsis else key] = memoryview(value)
    else:
        content[key] = value


def _places(shape: Tuple[int, ...]) -> Iterator[Tuple[int, ...]]:
    if not shape:
        yield ()
        return
    for index in range(shape[0]):
        for rest in _places(shape[1:]):
            yield (index, *rest)


def fill(self: Array, value: Any) -> None:
    """Store one value into all elements."""
    if numpy() is not None:
        view(self).fill(value)
        return
    for place in _places(self.shape):
        self[place] = value


def tolist(self: Array) -> Any:
    """The elements as nested lists of Python numbers; one number for no dimensions."""
    if numpy() is not None:
        return view(self).tolist()
    return _nested(iter(self._first(self.size)), self.shape)


def _nested(numbers: Iterator[Any], shape: Tuple[int, ...]) -> Any:
    if not shape:
        return next(numbers)
    return [_nested(numbers, shape[1:]) for _ in range(shape[0])]


def to_py(self: Array) -> Any:
    """A private copy: numpy's array; nested lists where numpy is not installed."""
    return view(self).copy() if numpy() is not None else tolist(self)


def item(self: Array, *index: Any) -> Any:
    """One element as a Python number: the only one, or that at an index."""
    if numpy() is not None:
        return view(self).item(*index)
    if index:
        return self[index[0] if len(index) == 1 else index]
    if self.size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    return self._first(1)[0]


def _shorter(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "..."


def show(self: Array) -> str:
    """A short repr."""
    try:
        return _content(self)
    except Closed:
        return "<Array closed>"


def _content(self: Array) -> str:
    code, name = self._type
    shown = [repr(number) for number in self._first(_SHOWN)]
    if not code and numpy() is not None:
        shown = [str(found) for found in view(self).reshape(-1)[:_SHOWN]]
    inside = ", ".join(_shorter(text, _SHOWN_ELEMENT) for text in shown)
    if self.size > len(shown):
        inside += f"{', ' if shown else ''}... {self.size - len(shown)} more"
    kind = repr(name) if code else _shorter(name, _SHOWN_ELEMENT)
    return _shorter(f"Array([{inside}], shape={self.shape}, dtype={kind})", _SHOWN_TEXT)
