"""Scalars of numpy: a type character, and the plain value."""

import sys
from typing import Any, Callable, Optional

from ._values import unsupported

_NUMPY = 13


def packer(cls: Any) -> Optional[Callable[[Any], Any]]:
    """What packs scalars of a type of numpy."""
    numpy: Any = sys.modules["numpy"]
    try:
        dtype = numpy.dtype(cls)
    except TypeError:
        return None
    char = dtype.char
    if dtype.type is not cls:
        return None
    if char in "Mm":
        return _pack_moment
    if char == "g":
        return _pack_long
    if char == "G":
        return lambda value: "its parts have more digits than floats: convert it with complex"
    take: Any = None
    if char == "?":
        take = bool
    elif char in "bhilqBHILQ":
        take = int
    elif char in "efd":
        take = float
    elif char in "FD":
        take = complex
    elif char == "U":
        take = str.__str__
    elif char == "S":
        take = lambda value: bytes.__getitem__(value, slice(None))  # noqa: E731
    if take is None:
        return None
    return lambda value: (_NUMPY, char, take(value))


def _pack_moment(value: Any) -> Any:
    number = int(value.view("i8"))
    # Without the byte order, which a scalar does not have.
    return _NUMPY, value.dtype.str[1:], number


def _pack_long(value: Any) -> Any:
    """As a float if it is one, else as the ratio that it is."""
    number = float(value)
    if number == value or number != number:
        return _NUMPY, "g", number
    from fractions import Fraction

    return _NUMPY, "g", Fraction(*value.as_integer_ratio())


def _long(numpy: Any, ratio: Any) -> Any:
    digits, shift = abs(ratio.numerator), 1 - ratio.denominator.bit_length()
    while digits and not digits & 1:
        digits, shift = digits >> 1, shift + 1
    return numpy.ldexp(numpy.longdouble(digits if ratio > 0 else -digits), shift)


def make(dtype: str, value: Any) -> Any:
    """The scalar."""
    try:
        import numpy
    except ImportError as error:
        raise unsupported(
            "this is a numpy scalar and numpy is not installed here", f"numpy {dtype}"
        ) from error
    if dtype == "g" and not isinstance(value, float):
        return _long(numpy, value)
    if len(dtype) > 1:
        return numpy.array(value, "i8").view(dtype)[()]
    return numpy.dtype(dtype).type(value)
