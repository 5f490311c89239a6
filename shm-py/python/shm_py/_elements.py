"""Copies of structs that lie in a vector: tuples with names for their items.

An element of a vector of structs is a copy, so nothing of it can be assigned; assign the whole element.
`make` makes a class for a schema, as `make_enum` does for enums with data.
"""

import operator
from typing import Any, Dict, List, NoReturn, Optional, Tuple, Type

__all__ = ["Element", "known", "make"]

# By the canonical text of the schema.
_classes: Dict[str, Type["Element"]] = {}


class Element(Tuple[Any, ...]):
    """A struct copied out of a vector: a tuple of its fields, which are attributes too.

    To change one, assign the element: `s.points[0] = s.points[0]._replace(x=5)`, or assign to what
    `update()` gives.
    """

    __slots__ = ()

    _fields: Tuple[str, ...] = ()

    def _replace(self, **changes: Any) -> "Element":
        """The same with other values of some fields."""
        for name in changes:
            if name not in self._fields:
                raise self._unknown(name)
        values = zip(self._fields, self)
        return type(self)(changes.get(name, value) for name, value in values)

    def _asdict(self) -> Dict[str, Any]:
        """A dict of the fields."""
        return dict(zip(self._fields, self))

    def _unknown(self, name: str) -> AttributeError:
        known = ", ".join(self._fields)
        return AttributeError(f'"{type(self).__name__}" has no field "{name}"; its fields are {known}')

    def __getattr__(self, name: str) -> NoReturn:
        raise self._unknown(name)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        if name not in self._fields:
            raise self._unknown(name)
        raise AttributeError(
            f'this "{type(self).__name__}" is a copy of an element: assign the element, as in '
            f"vector[i] = vector[i]._replace({name}=...), or assign to what update() gives"
        )

    def __eq__(self, other: Any) -> Any:
        text = getattr(type(other), "__shm_schema__", None)
        if isinstance(other, tuple) or text is None:
            return tuple.__eq__(self, other)
        if text != type(self).__shm_schema__:  # type: ignore[attr-defined]
            return False
        return tuple(getattr(other, name) for name in self._fields) == tuple(self)

    def __ne__(self, other: Any) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in zip(self._fields, self))
        return f"{type(self).__name__}({', '.join(fields)})"

    def __reduce__(self) -> Any:
        schema = type(self).__shm_schema__  # type: ignore[attr-defined]
        return _again, (schema, type(self).__name__, self._fields, tuple(self))


def known(text: str) -> Optional[Type[Element]]:
    """The class for a schema, if there is one already."""
    return _classes.get(text)


def make(text: str, name: str, fields: List[str]) -> Type[Element]:
    """The class for a schema."""
    short = name.split("<")[0].split(".")[-1]
    content: Dict[str, Any] = {
        field: property(operator.itemgetter(index)) for index, field in enumerate(fields)
    }
    content.update(
        __slots__=(), _fields=tuple(fields), __match_args__=tuple(fields), __shm_schema__=text
    )
    _classes[text] = type(short, (Element,), content)
    return _classes[text]


def _again(text: str, name: str, fields: List[str], values: Tuple[Any, ...]) -> Element:
    """What a pickle was made of."""
    return (known(text) or make(text, name, fields))(values)
