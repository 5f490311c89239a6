"""Dataclasses whose fields may have names that are keywords of Python, as fields of Rust structs may.

`dataclasses` writes its methods as source text, in which `self.class` is an error. For such classes the
same methods are made here, by `getattr`; all others are made by `dataclasses`. The fields are those of
`dataclasses.fields` in both cases.
"""

import dataclasses
import keyword
from typing import Any, Dict, List, Type, TypeVar

_T = TypeVar("_T")


def named(name: str, fields: List[str]) -> Type[Any]:
    """A dataclass with these fields, of any type."""
    if not any(map(keyword.iskeyword, fields)):
        return dataclasses.make_dataclass(name, fields)
    return of(type(name, (), {"__annotations__": dict.fromkeys(fields, Any)}))


def of(declared: Type[_T]) -> Type[_T]:
    """The class as a dataclass."""
    annotated = vars(declared).get("__annotations__", {})
    if not any(map(keyword.iskeyword, annotated)):
        return dataclasses.dataclass(declared)
    made = dataclasses.dataclass(init=False, repr=False, eq=False)(declared)
    fields = {field.name: field for field in dataclasses.fields(made)}  # type: ignore[arg-type]

    def __init__(self: Any, *values: Any, **named_values: Any) -> None:
        if len(values) > len(fields):
            raise TypeError(f"{made.__name__} takes {len(fields)} values, {len(values)} were given")
        given: Dict[str, Any] = dict(zip(fields, values))
        for name, value in named_values.items():
            if name in given or name not in fields:
                which = "twice" if name in given else "which is no field"
                raise TypeError(f"{made.__name__} was given {name!r}, {which}")
            given[name] = value
        for name, field in fields.items():
            if name in given:
                value = given[name]
            elif field.default is not dataclasses.MISSING:
                value = field.default
            elif field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            else:
                raise TypeError(f"{made.__name__} needs a value for {name!r}")
            setattr(self, name, value)

    def __repr__(self: Any) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in fields)
        return f"{type(self).__qualname__}({', '.join(values)})"

    def __eq__(self: Any, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in fields)

    for method in (__init__, __repr__, __eq__):
        if method.__name__ not in vars(declared):
            setattr(made, method.__name__, method)
    # As with `dataclasses`: what is compared by value and can be changed has no hash.
    if "__hash__" not in vars(declared):
        made.__hash__ = None  # type: ignore[assignment]
    return made
