"""Members of enums, stored by their class's name and their own.

A class is `module:qualname`. It is looked for where it was defined, among the modules that are
imported already: what a segment holds never makes a process import anything. The main module is
`__main__` in a spawned child too.
"""

import enum
import sys
from typing import Any, Callable, Optional

from ._values import PACKERS, unsupported

_ENUM = 12
_PLAIN = (type(None), bool, int, float, str, bytes)


def key_of(cls: type) -> str:
    """The name under which a class is stored."""
    module = "__main__" if cls.__module__ == "__mp_main__" else cls.__module__
    return f"{module}:{cls.__qualname__}"


def class_of(key: str) -> Any:
    """The class of that name, or None. Runs no code of a module."""
    module, _, name = key.partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        try:
            # Not vars(): that loads a module which was imported lazily.
            found = object.__getattribute__(found, "__dict__")[part]
        except (AttributeError, KeyError, TypeError):
            return None
    return found if isinstance(found, type) else None


def packer(cls: Any) -> Callable[[Any], Any]:
    """What packs members of an enum."""
    key = key_of(cls)
    if class_of(key) is not cls:
        # Not kept: it may be put there yet.
        return _refuse
    is_flag = issubclass(cls, enum.Flag)
    base = cls._member_type_
    members = cls._member_map_

    def pack(member: Any) -> Any:
        value = member._value_
        name = member._name_
        if name not in members:
            name = None
        if base is object:
            is_plain = type(value) in _PLAIN and (is_flag or name is not None)
            return _ENUM, key, name, value if is_plain else None, False
        if issubclass(base, int):
            value = int.__int__(member)
        elif issubclass(base, str):
            value = str.__str__(member)
        elif issubclass(base, float):
            value = float.__float__(member)
        elif issubclass(base, bytes):
            value = bytes.__getitem__(member, slice(None))
        elif type(value) is not base:
            return f"its value is no {base}, by which it is equal to others"
        return _ENUM, key, name, value, True

    PACKERS[cls] = pack
    return pack


def _refuse(member: Any) -> str:
    cls = type(member)
    return (
        f"it is not found as {cls.__qualname__!r} in module {cls.__module__!r}, so no other process "
        "could find it: define it at the top level of a module"
    )


def make(key: str, name: Optional[str], value: Any, is_value: bool) -> Any:
    """The member."""
    cls: Any = class_of(key)
    if not isinstance(cls, enum.EnumMeta):
        module, _, qualname = key.partition(":")
        todo = f"import {module} first" if module not in sys.modules else "it has no such enum"
        raise unsupported(
            f"this is a member of {module}.{qualname} and {module!r} is "
            f"{'imported' if module in sys.modules else 'not imported'} here: {todo}",
            key,
        )
    if name is None:
        return cls(value)
    try:
        return cls._member_map_[name]
    except KeyError:
        raise unsupported(f"{cls} has no member {name!r} in this process", key) from None
