"""The methods and operators of numpy's arrays, for `Array`: each works on a view of the elements.

What numpy returns is a plain numpy array; what changes an array in place changes the shared elements.
"""

import operator
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import _array
from ._array import view
from ._dtypes import TYPES, numpy
from ._native import Array, Segment

__all__: List[str] = []


def _iterate(self: Array) -> Iterator[Any]:
    # Numbers of an array of one dimension, parts of any other.
    return (self[index] for index in range(len(self)))


def _iterate_back(self: Array) -> Iterator[Any]:
    return (self[index] for index in reversed(range(len(self))))


def _contains(self: Array, value: Any) -> bool:
    if numpy() is not None:
        return value in view(self)
    return any(value == number for number in self._first(self.size))


def _bool(self: Array) -> bool:
    if self.size == 1:
        return bool(_array.item(self))
    raise ValueError(
        "The truth value of an array with other than one element is ambiguous. Use a.any() or a.all()"
    )


def _as_array(self: Array, dtype: Any = None, copy: Optional[bool] = None) -> Any:
    found = view(self)
    if dtype is not None and found.dtype != dtype:
        if copy is False:
            raise ValueError(f"an array of {dtype} needs a copy of one of {found.dtype}")
        return found.astype(dtype)
    return found.copy() if copy else found


def _interface(self: Array) -> Dict[str, Any]:
    code, name = self._type
    if code:
        kind = "b" if name == "bool" else name[0]
        size = TYPES[code][1]
        typestr = f"{'|' if size == 1 else '<'}{kind}{size}"
        fields: Any = [("", typestr)]
    else:
        found = _array.dtype(self)
        if found.names is not None:
            # Padding would come back as fields: numpy asks for `__array__` then.
            raise AttributeError("records have no __array_interface__")
        typestr, fields = found.str, found.descr
    # The bytes count as a view for as long as somebody has them; an address would not.
    data = self._bytes()
    shape = self.shape
    return dict(shape=shape, typestr=typestr, descr=fields, data=data, strides=None, version=3)


def _dlpack(self: Array, **options: Any) -> Any:
    return view(self).__dlpack__(**options)


def _dlpack_device(self: Array) -> Tuple[int, int]:
    # The memory of the processor.
    return (1, 0) if self.nbytes >= 0 else (0, 0)


def _attribute(self: Array, name: str) -> Any:
    # Whatever else numpy's arrays have, of a view.
    np = numpy()
    if name.startswith("_") or np is None or not hasattr(np.ndarray, name):
        raise AttributeError(f"'Array' object has no attribute {name!r}")
    return getattr(view(self), name)


def _copied(self: Array, memo: Any = None) -> Any:
    return _array.to_py(self)


def _plain(other: Any) -> Any:
    return view(other) if isinstance(other, Array) else other


def _binary(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")

    def method(self: Array, other: Any) -> Any:
        return function(view(self), _plain(other))

    return method


def _of_view(name: str) -> Callable[..., Any]:
    def method(self: Array, *others: Any) -> Any:
        return getattr(view(self), f"__{name}__")(*map(_plain, others))

    return method


def _in_place(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")

    def method(self: Array, other: Any) -> Array:
        # On the elements where they are, or an error.
        function(view(self), _plain(other))
        return self

    return method


def _of_one(make: Callable[[Any], Any]) -> Callable[..., Any]:
    def method(self: Array) -> Any:
        # What `bytes` and its like ask first is to be a TypeError, or they ask for nothing else.
        if self.size != 1 or (make is operator.index and self.ndim > 0):
            raise TypeError("only an array of one element can be converted to a number")
        return make(_array.item(self))

    return method


_METHODS: Dict[str, Any] = {
    "__iter__": _iterate,
    "__reversed__": _iterate_back,
    "__contains__": _contains,
    "__bool__": _bool,
    "__repr__": _array.show,
    "__array__": _as_array,
    "__dlpack__": _dlpack,
    "__dlpack_device__": _dlpack_device,
    "__getattr__": _attribute,
    "__copy__": _copied,
    "__deepcopy__": _copied,
    "__int__": _of_one(int),
    "__float__": _of_one(float),
    "__complex__": _of_one(complex),
    "__index__": _of_one(operator.index),
    "__divmod__": _of_view("divmod"),
    "__rdivmod__": _of_view("rdivmod"),
    "fill": _array.fill,
    "tolist": _array.tolist,
    "to_py": _array.to_py,
    "item": _array.item,
}
for _name in "add sub mul truediv floordiv mod pow matmul lshift rshift and or xor".split():
    _METHODS[f"__{_name}__"] = _binary(_name)
    _METHODS[f"__r{_name}__"] = _of_view(f"r{_name}")
    _METHODS[f"__i{_name}__"] = _in_place(f"i{_name}")
for _name in "eq ne lt le gt ge".split():
    _METHODS[f"__{_name}__"] = _binary(_name)
for _name in "neg pos abs invert".split():
    _METHODS[f"__{_name}__"] = _of_view(_name)
for _name, _method in _METHODS.items():
    _method.__name__, _method.__qualname__ = _name, f"Array.{_name}"
    setattr(Array, _name, _method)

# Elements change, so there is no hash.
setattr(Array, "__hash__", None)
setattr(Array, "__array_interface__", property(_interface))
setattr(Array, "dtype", property(_array.dtype, doc=_array.dtype.__doc__))
_array.array.__qualname__ = "Segment.array"
setattr(Segment, "array", _array.array)
