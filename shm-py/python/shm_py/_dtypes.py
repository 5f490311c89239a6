"""What the elements of an array are: by names and numbers here, and by numpy's dtypes where it is installed."""

from typing import Any, Dict, List, Set, Tuple

#: By the number in the format: the name, bytes of an element, how `struct` writes it.
TYPES: Dict[int, Tuple[str, int, str]] = {
    1: ("bool", 1, "?"),
    2: ("int8", 1, "b"),
    3: ("uint8", 1, "B"),
    4: ("int16", 2, "h"),
    5: ("uint16", 2, "H"),
    6: ("int32", 4, "i"),
    7: ("uint32", 4, "I"),
    8: ("int64", 8, "l"),
    9: ("uint64", 8, "L"),
    10: ("float16", 2, "e"),
    11: ("float32", 4, "f"),
    12: ("float64", 8, "d"),
    13: ("complex64", 8, "Zf"),
    14: ("complex128", 16, "Zd"),
}
HALF = 10


def _names() -> Dict[Any, int]:
    names: Dict[Any, int] = {bool: 1, int: 8, float: 12, complex: 14}
    for code, (name, size, format) in TYPES.items():
        short = f"{name[0]}{size}"
        for known in (name, format, short, f"<{short}", f"={short}", f"|{short}"):
            names[known] = code
    # As Python, C and `array.array` say it.
    names.update({"int": 8, "float": 12, "complex": 14, "q": 8, "Q": 9, "F": 13, "D": 14})
    return names


#: By what numpy, `struct` and Python call them.
CODES = _names()
#: As the fields of structs say it, in bits: `shm_py.f64`.
_FIELDS = {
    f"{name[0]}{size * 8}": code for code, (name, size, _) in TYPES.items() if name[0] in "iuf"
}


class Refused(Exception):
    """Why there can be no array of these elements."""


#: numpy once it was asked for, or `None`.
_numpy: List[Any] = []
#: Dtypes by their text; not more than a program has, unless it makes them up.
_texts: Dict[str, Any] = {}
_MOST_TEXTS = 256


def numpy() -> Any:
    """numpy, or `None` where it is not installed."""
    if _numpy:
        return _numpy[0]
    try:
        import numpy
    except ImportError:
        _numpy.append(None)
    else:
        _numpy.append(numpy)
    return _numpy[0]


def needed(what: str) -> Any:
    """numpy, or an error."""
    found = numpy()
    if found is None:
        raise ImportError(f"{what} takes numpy, which is not installed", name="numpy")
    return found


def of_text(text: str) -> Any:
    """The numpy dtype that was stored as text."""
    found = _texts.get(text)
    if found is None:
        import ast  # only now: numpy has it, but few others

        described = ast.literal_eval(text)
        found = needed("an array of such elements").lib.format.descr_to_dtype(described)
        if len(_texts) >= _MOST_TEXTS:
            _texts.clear()
        _texts[text] = found
    return found


def described(dtype: Any) -> Tuple[int, int, str]:
    """Number, bytes and text of a numpy dtype; the number is 0 if there is a text."""
    np = numpy()
    if dtype.hasobject:
        raise Refused(f"{np.ndarray} of dtype {dtype}")
    if dtype.kind in "biufc" and dtype.isnative:
        code = CODES.get(f"{dtype.kind}{dtype.itemsize}")
        if code is not None:
            return code, dtype.itemsize, ""
    if dtype.itemsize == 0:
        raise ValueError(f"elements of dtype {dtype!r} have 0 bytes: give it a width, as in 'S8'")
    text = repr(np.lib.format.dtype_to_descr(dtype))
    if of_text(text) != dtype:
        raise Refused(f"{np.ndarray} of dtype {dtype}")
    return 0, dtype.itemsize, text


def element(dtype: Any) -> Tuple[int, int, str, Tuple[int, ...]]:
    """As `described`, of whatever says a dtype; and the dimensions that it brings along."""
    for mark in getattr(dtype, "__metadata__", ()):
        code = _FIELDS.get(getattr(mark, "text", ""))
        if code is None:
            raise TypeError(f"{dtype} is no type of an array's elements")
        return code, TYPES[code][1], "", ()
    try:
        code = CODES.get(dtype)
    except TypeError:  # A list of fields.
        code = None
    if code is not None:
        return code, TYPES[code][1], "", ()
    np = numpy()
    if np is None:
        known = ", ".join(name for name, _, _ in TYPES.values())
        raise TypeError(f"dtype {dtype!r} takes numpy, which is not installed; without it: {known}")
    found, inner = np.dtype(dtype), ()
    if found.subdtype is not None:
        found, inner = found.subdtype
    return (*described(found), inner)


def of_numbers(numbers: Any) -> str:
    """The name of the type that takes all of some Python numbers, as numpy would choose it."""
    kinds = set(map(type, numbers))
    choices: List[Tuple[str, Set[type]]] = [
        ("float64", set()),
        ("bool", {bool}),
        ("int64", {bool, int}),
        ("float64", {bool, int, float}),
        ("complex128", {bool, int, float, complex}),
    ]
    for name, takes in choices:
        if kinds <= takes:
            return name
    raise TypeError("an array of anything but numbers in a row takes numpy, which is not installed")
