"""Typed structs in Python: declaring them, copying them out, changing several fields at once.

`struct` makes a dataclass whose instances become shared structs when they are stored; the schema
is the one that Rust's derive gives a struct of the same name and fields.
"""

import collections
import copy
import enum
import re
import types
import typing
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Callable,
    Dict,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

from . import _native
from ._elements import Element
from ._vectors import Vec, field_names, is_dataclass, plain

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform():
        """Says to type checkers that what is decorated makes dataclasses."""
        return lambda function: function


__all__ = ["Kind", "Update", "kind", "load", "readonly", "schema_source", "struct"]

_T = TypeVar("_T")


class Kind(NamedTuple):
    """The type of a field, in the notation of schemas: `Annotated[Any, kind("[f64]")]`."""

    text: str


def kind(text: str) -> Kind:
    """The type of a field, in the notation of schemas, such as `[f32;3]` or `?&plant.Sensor`."""
    return Kind(text)


class _Readonly:
    def __repr__(self) -> str:
        return "readonly"


#: Marks a field that is written only when the struct is made: `Annotated[shm_py.u64, readonly]`.
readonly = _Readonly()

char = Annotated[str, Kind("char")]
i8 = Annotated[int, Kind("i8")]
i16 = Annotated[int, Kind("i16")]
i32 = Annotated[int, Kind("i32")]
i64 = Annotated[int, Kind("i64")]
i128 = Annotated[int, Kind("i128")]
u8 = Annotated[int, Kind("u8")]
u16 = Annotated[int, Kind("u16")]
u32 = Annotated[int, Kind("u32")]
u64 = Annotated[int, Kind("u64")]
u128 = Annotated[int, Kind("u128")]
f32 = Annotated[float, Kind("f32")]
f64 = Annotated[float, Kind("f64")]
#: A span of time in nanoseconds.
duration = Annotated[int, Kind("duration")]
#: A moment in nanoseconds since 1970, as `time.time_ns()` counts.
time = Annotated[int, Kind("time")]

# `X | None` is of another type than `Union[X, None]` up to Python 3.13.
_UNIONS = (Union, getattr(types, "UnionType", Union))

# The schemas that classes were declared for, and classes made for schemas, by canonical text.
_classes: Dict[str, Type[Any]] = {}
_enums: Dict[str, Callable[[Any], Any]] = {}


# Of a schema, with generic arguments if there are such.
_NAME = re.compile(r"[\w.]+(<.*>)?", re.DOTALL)


def _field_type(annotation: Any) -> Tuple[str, bool]:
    """The type of a field in a schema, and whether it is read-only."""
    simple: Dict[Any, str] = {
        bool: "bool",
        str: "str",
        int: "i64",
        float: "f64",
        Any: "value",
        _native.List: "list",
        _native.Dict: "dict",
        _native.Set: "set",
        _native.ByteArray: "bytearray",
    }
    marks: Tuple[Any, ...] = ()
    while hasattr(annotation, "__metadata__"):
        marks += annotation.__metadata__
        annotation = annotation.__origin__
    fixed = readonly in marks
    for mark in marks:
        if isinstance(mark, Kind):
            return mark.text, fixed
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS and len(arguments) == 2 and type(None) in arguments:
        inner = next(argument for argument in arguments if argument is not type(None))
        return "?" + _field_type(inner)[0], fixed
    if origin is tuple:
        return "(" + ",".join(_field_type(part)[0] for part in arguments) + ")", fixed
    if origin is list and arguments:
        return "[" + _field_type(arguments[0])[0] + "]", fixed
    if origin is dict and arguments:
        key, value = (_field_type(part)[0] for part in arguments)
        return f"map({key},{value})", fixed
    if origin is not None:
        annotation = origin
    if isinstance(annotation, type) and "__shm_schema__" in vars(annotation):
        return vars(annotation)["__shm_schema__"], fixed
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _declared_enum(annotation), fixed
    try:
        return simple[annotation], fixed
    except (KeyError, TypeError):
        raise TypeError(
            f"{annotation!r} is no type of a shared field: use shm_py.f64, shm_py.i32, bool, str, "
            "Optional, List[shm_py.f64], Dict[str, shm_py.u32], shm_py.List, shm_py.Dict, a class with @shm_py.struct, an Enum, or "
            'Annotated[Any, shm_py.kind("...")]'
        ) from None


def _declared_enum(declared: Type[enum.Enum]) -> str:
    numbers = [member.value for member in declared]
    if not all(type(number) is int for number in numbers):
        raise TypeError(f"the members of {declared!r} are not ints, so it is no shared enum")
    fits = [
        (f"{sign}{8 * size}", low, high)
        for size in (1, 2, 4, 8)
        for sign, low, high in (
            ("u", 0, 2 ** (8 * size) - 1),
            ("i", -(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1),
        )
    ]
    tag = next(tag for tag, low, high in fits if all(low <= n <= high for n in numbers))
    variants = ",".join(f"{member.name}={member.value}" for member in declared)
    text = f"{declared.__name__}:{tag}{{{variants}}}"
    _enums[text] = lambda name: declared[name]
    return text


@overload
def struct(declared: Type[_T], /) -> Type[_T]: ...
@overload
def struct(
    declared: None = None, /, *, name: Optional[str] = None, version: int = 0
) -> Callable[[Type[_T]], Type[_T]]: ...
@dataclass_transform()
def struct(
    declared: Optional[Type[_T]] = None, /, *, name: Optional[str] = None, version: int = 0
) -> Any:
    """Declare a typed struct: a dataclass that becomes a shared struct when it is stored.

    >>> import shm_py
    >>> @shm_py.struct
    ... class Level:
    ...     price: shm_py.f64
    ...     size: shm_py.i64
    ...     tag: str
    >>> seg = shm_py.create(size="16MiB")
    >>> seg.root["level"] = Level(101.5, 3, "bid")
    >>> seg.root["level"].price += 1
    >>> seg.root["level"].load()
    Level(price=102.5, size=3, tag='bid')
    >>> seg.close()
    """

    def declare(declared: Type[_T]) -> Type[_T]:
        if not isinstance(declared, type):
            raise TypeError(f"struct() takes a class, not {type(declared).__name__}")
        from . import _dataclass

        made = _dataclass.of(declared)
        hints = typing.get_type_hints(declared, include_extras=True)
        parts = []
        for field in field_names(made):
            try:
                text, fixed = _field_type(hints[field])
            except TypeError as error:
                raise TypeError(f"{declared.__qualname__}.{field}: {error}") from None
            parts.append(f"{field}{'!' if fixed else ''}:{text}")
        mark = f"@{version}" if version else ""
        stored = f"{name or declared.__name__}{mark}{{{','.join(parts)}}}"
        try:
            return _of_schema(made, stored)
        except ValueError as error:
            raise ValueError(f"{declared.__qualname__} is no shared struct: {error}") from None

    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(
            f"name {name!r} is not like 'Level' or 'plant.Level': letters, digits, '_' and '.'"
        )
    return declare if declared is None else declare(declared)


def _of_schema(made: Type[_T], schema: str) -> Type[_T]:
    """The class, as one whose instances become structs of a schema."""
    text, fingerprint = _native._canonical(schema)
    made.__shm_schema__ = text  # type: ignore[attr-defined]
    made.__shm_fingerprint__ = fingerprint  # type: ignore[attr-defined]
    _classes[text] = made
    return made


def _single(value: Any) -> Any:
    """A value for a field that is not composed: members of enums and numpy scalars are values too."""
    is_array = hasattr(value, "tolist") and hasattr(value, "__len__")
    return plain(value) if is_array or is_dataclass(value) else value


def whole(value: Any, composed: List[bool]) -> Tuple[Any, ...]:
    """The values of a declared struct that is to be stored; which of its fields are composed ones."""
    fields = zip(field_names(value), composed)
    values = ((getattr(value, name), is_composed) for name, is_composed in fields)
    return tuple(plain(item) if is_composed else _single(item) for item, is_composed in values)


def known_enum(text: str) -> Optional[Callable[[Any], Any]]:
    """What makes members of the enum, if it was met before."""
    return _enums.get(text)


def make_enum(
    text: str, name: str, variants: List[Tuple[str, int, List[str]]]
) -> Callable[[Any], Any]:
    """What makes members: an Enum for one without data, else named tuples that start with a tag."""
    short = name.split("<")[0].split(".")[-1]
    if not any(fields for _, _, fields in variants):
        functional: Any = enum.Enum
        made = functional(short, [(variant, number) for variant, number, _ in variants])
        _enums[text] = lambda variant: made[variant]
    else:
        classes = {
            variant: collections.namedtuple(
                variant, ["tag"] + [field.strip("_") and field for field in fields], rename=True
            )
            for variant, _, fields in variants
        }

        def member(value: Any) -> Any:
            parts = value if isinstance(value, tuple) else (value,)
            return classes[parts[0]](*parts)

        _enums[text] = member
    return _enums[text]


# The types of vectors and maps whose elements are references to other structs.
_OF_LINKS = re.compile(r"\??(\[\??&[^\]]*\]|map\([^&]*,\??&[^)]*\))")


def _copied(value: Any, links: bool = False) -> Any:
    if isinstance(value, _native.Struct):
        # What a link leads to stays shared: it may be a cycle.
        return load(value) if _native.Struct._is_nested(value) else value
    if isinstance(value, Vec):
        return list(value)
    if links and isinstance(value, (_native.List, _native.Dict)):
        return copy.copy(value)
    if isinstance(value, _native.List):
        return _copied(value.to_py())
    if isinstance(value, (_native.Dict, _native.Set, _native.ByteArray, _native.Array)):
        return value.to_py()
    if isinstance(value, _native.Object):
        return _native.Object.to_py(value)
    if isinstance(value, Element):
        return _of_element(value)
    if isinstance(value, (tuple, list)):
        # Arrays of structs, tuples and variants with structs inside.
        items = [_copied(item) for item in value]
        if all(one is other for one, other in zip(items, value)):
            return value
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    return value


def _instance(
    text: str,
    schema_name: str,
    names: List[str],
    values: Tuple[Any, ...],
    types: Optional[Dict[str, str]] = None,
) -> Any:
    """A dataclass with these fields: the declared class, or one made for the schema."""
    made = _classes.get(text)
    if made is None:
        from . import _dataclass

        short = schema_name.split("<")[0].split(".")[-1]
        made = _of_schema(_dataclass.named(short, names), text)
    copied: Any = object.__new__(made)
    for name, value in zip(names, values):
        links = types is not None and _OF_LINKS.fullmatch(types[name]) is not None
        object.__setattr__(copied, name, _copied(value, links))
    return copied


def _of_element(element: Element) -> Any:
    """A dataclass of what a vector has."""
    made: Any = type(element)
    return _instance(made.__shm_schema__, made.__name__, list(element._fields), tuple(element))


def load(shared: Any) -> Any:
    """A dataclass with the fields of a struct: the declared class, or one made for the schema."""
    text, (name, types) = _native.Struct._text(shared), _native.Struct.schema(shared)
    return _instance(text, name, list(types), _native.Struct._values(shared), types)


def _kept(value: Any) -> Any:
    """A copy that later changes do not reach; shared objects stay themselves."""
    if isinstance(value, list):
        return [_kept(item) for item in value]
    if isinstance(value, tuple):
        return value
    if isinstance(value, dict):
        return {key: _kept(item) for key, item in value.items()}
    if isinstance(value, (set, bytearray)):
        return copy.copy(value)
    if is_dataclass(value) and not isinstance(value, type):
        kept = copy.copy(value)
        for name in field_names(value):
            object.__setattr__(kept, name, _kept(getattr(value, name)))
        return kept
    return value


class Update:
    """What `Struct.update()` returns: a copy to assign to, stored at once when the block ends."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared
        self._copy: Any = None
        self._before: Dict[str, Any] = {}

    def __enter__(self) -> Any:
        self._copy = load(self._shared)
        names = field_names(self._copy)
        self._before = {name: _kept(getattr(self._copy, name)) for name in names}
        return self._copy

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is not None:
            return
        for name in getattr(self._copy, "__dict__", ()):
            if name not in self._before and not hasattr(type(self._copy), name):
                short, fields = _native.Struct.schema(self._shared)
                raise AttributeError(
                    f'"{short}" has no field "{name}"; its fields are {", ".join(fields)}'
                )
        changes = {}
        for name, before in self._before.items():
            now = getattr(self._copy, name)
            if now is not before and not (type(now) is type(before) and now == before):
                changes[name] = now
        if changes:
            _native.Struct._set_many(self._shared, changes)


def schema_source(segment: Any, lang: str = "python") -> str:
    """The segment's schemas as source text: `python` classes, `rust` structs or a `c` header."""
    return _native._schema_source(segment, lang)
