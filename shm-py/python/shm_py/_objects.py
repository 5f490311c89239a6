"""Instances of plain classes: what of them is stored, and the class for what is found.

A segment names a class as `module:qualname`. It is looked for in `sys.modules` alone, without
running anything: no import, no attribute of a module that is made on demand. What is found must be
a class whose instances could be stored, so a name in a segment makes nothing else of this process.
"""

import collections.abc
import copyreg
import enum
import sys
import types
import typing
import weakref
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ._native import Object

__all__ = ["Attributes"]

# Most attributes that a repr shows.
_SHOWN = 20

_HEAP_TYPE = 1 << 9
_MANAGED_DICT = 1 << 4
_WORD = 8

# Bases that add nothing to an instance.
_BASES = (object, typing.Generic)
# A class with one of these says itself what its instances are made of.
_HOOKS = (
    "__reduce__ __reduce_ex__ __getstate__ __setstate__ __getnewargs__ __getnewargs_ex__ __del__ "
    "__getattribute__"
).split()
# Special names of a class that its proxies do not take over.
_OWN = set(_HOOKS)
_OWN.update(
    "__abstractmethods__ __class__ __class_getitem__ __copy__ __deepcopy__ __delattr__ __dict__ "
    "__getattr__ __init__ __init_subclass__ __instancecheck__ __module__ __new__ __orig_bases__ "
    "__parameters__ __prepare__ __qualname__ __setattr__ __sizeof__ __slotnames__ __slots__ "
    "__static_attributes__ __firstlineno__ __subclasscheck__ __subclasshook__ __weakref__".split()
)

_reasons: "weakref.WeakKeyDictionary[type, Optional[str]]" = weakref.WeakKeyDictionary()
_proxies: "weakref.WeakKeyDictionary[type, type]" = weakref.WeakKeyDictionary()


class _Unknown(Object):
    """An object whose class is not loaded."""

    __slots__ = ()


_Unknown.__name__ = _Unknown.__qualname__ = "Object"
_Unknown.__module__ = "shm_py"


# What classes and modules have, past all hooks of their own.
_in_class: Any = vars(type)["__dict__"].__get__
_in_module: Any = vars(types.ModuleType)["__dict__"].__get__


def _in_instance(value: Any) -> Dict[str, Any]:
    return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]


def _slots(cls: type) -> List[str]:
    """The names of what instances have in `__slots__`."""
    return [
        name
        for base in cls.__mro__
        if "__slots__" in _in_class(base)
        for name, value in _in_class(base).items()
        if type(value) is types.MemberDescriptorType
    ]


def _find(name: str) -> Optional[type]:
    """The class of a name, if it is loaded."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    if not issubclass(type(found), types.ModuleType):
        return None
    inside = _in_module(found)
    for part in path.split("."):
        found = inside.get(part)
        if not issubclass(type(found), type):
            return None
        inside = _in_class(found)
    return found  # type: ignore[no-any-return]


def _is_ordinary(cls: type) -> bool:
    """Whether looking at a class runs nothing of its metaclass."""
    meta = type(cls)
    return (
        meta.__hash__ is type.__hash__
        and meta.__eq__ is type.__eq__
        and meta.__getattribute__ is type.__getattribute__
    )


def _name(cls: type) -> str:
    module = cls.__module__
    # What a spawned child calls the main module of its parent.
    if module == "__mp_main__" and sys.modules.get("__main__") is sys.modules.get(module):
        module = "__main__"
    return f"{module}:{cls.__qualname__}"


def _of_dataclass(hook: Any) -> bool:
    """Whether it is what `dataclass` puts into a class with slots; without that module nothing is."""
    module = sys.modules.get("dataclasses")
    made = (getattr(module, f"_dataclass_{name}", None) for name in ("getstate", "setstate"))
    return hook is not None and any(hook is one for one in made)


def _examine(cls: type) -> Optional[str]:
    if cls is object or issubclass(type(cls), enum.EnumMeta):
        return ""
    bases = [base for base in cls.__mro__ if base not in _BASES]
    if not all(base.__flags__ & _HEAP_TYPE for base in bases):
        return ""
    for base in bases:
        for hook in _HOOKS:
            if hook in _in_class(base) and not _of_dataclass(_in_class(base)[hook]):
                return f"its class has {hook}, so its attributes are not all of it"
    # Words of an instance that belong to no attribute: what C code keeps there.
    words: int = object.__basicsize__ + _WORD * len(_slots(cls))
    managed = bool(cls.__flags__ & _MANAGED_DICT)
    words += _WORD * (cls.__dictoffset__ != 0 and not managed) + _WORD * (cls.__weakrefoffset__ > 0)
    if cls.__itemsize__ or cls.__basicsize__ > words or cls in copyreg.dispatch_table:
        return ""
    return None


def _reason(cls: type) -> Optional[str]:
    """Why instances of a class cannot be stored; "" for those of built-in types and the like."""
    if not _is_ordinary(cls):
        return ""
    try:
        return _reasons[cls]
    except KeyError:
        return _reasons.setdefault(cls, _examine(cls))


def _collect(value: Any, cls: type) -> Iterator[Tuple[str, Any]]:
    for slot in _slots(cls):
        try:
            yield slot, object.__getattribute__(value, slot)
        except AttributeError:
            pass
    if cls.__dictoffset__:
        yield from _in_instance(value).items()


def describe(value: Any) -> Union[None, str, Tuple[str, List[str], List[Any]]]:
    """The class and the attributes of an instance, or why it cannot be stored; None: no instance."""
    cls = type(value)
    reason = _reason(cls)
    if reason is not None:
        return reason or None
    name = _name(cls)
    if "<locals>" in name:
        return "its class is defined in a function, where no other process finds it"
    if _find(name) is not cls:
        return f"its class is not what {name.replace(':', '.')} is here"
    attributes = dict(_collect(value, cls))
    for attribute in attributes:
        if type(attribute) is not str:
            return f"its attribute {attribute!r:.40} is no text"
    return name, list(attributes), list(attributes.values())


def _proxy_class(cls: type) -> type:
    namespace: Dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base in _BASES:
            continue
        for name, value in _in_class(base).items():
            if name[:2] == "__" == name[-2:] and name not in _OWN:
                namespace[name] = value
    namespace.update(__slots__=(), __module__=cls.__module__, __qualname__=cls.__qualname__)
    return type(cls.__name__, (Object,), namespace)


def resolve(name: Optional[str]) -> Tuple[type, Optional[type]]:
    """The class for the proxies of a class, and that class if it is loaded."""
    cls = None if name is None else _find(name)
    if cls is None or _reason(cls) is not None:
        return _Unknown, None
    try:
        return _proxies[cls], cls
    except KeyError:
        return _proxies.setdefault(cls, _proxy_class(cls)), cls


def blank(name: Optional[str]) -> Any:
    """An instance of a class that nothing was done to yet."""
    cls = resolve(name)[1]
    if cls is None:
        if name is None:
            raise TypeError("an object that names no class cannot be copied out")
        module = name.partition(":")[0]
        raise TypeError(
            f"an object of class '{name}' cannot be copied out: it is not loaded, import {module}"
        )
    return object.__new__(cls)


def fill(instance: Any, attributes: List[Tuple[str, Any]]) -> None:
    """Gives an instance its attributes, whatever its class has against that."""
    cls = type(instance)
    slots = set(_slots(cls))
    for name, value in attributes:
        if cls.__dictoffset__ and name not in slots:
            _in_instance(instance)[name] = value
        else:
            object.__setattr__(instance, name, value)


def assign(shared: Object, cls: type, name: str, *value: Any) -> None:
    """Sets or deletes an attribute as the class's own `__setattr__` or `__delattr__` does."""
    instance: Any = object.__new__(cls)
    fill(instance, Object._attributes(shared))
    before = dict(_collect(instance, cls))
    if value:
        setattr(instance, name, *value)
    else:
        delattr(instance, name)
    after = dict(_collect(instance, cls))
    for gone in before.keys() - after.keys():
        Object._delete(shared, gone)
    for attribute, new in after.items():
        if attribute not in before or new is not before[attribute]:
            Object._set(shared, attribute, new)


def check_frozen(cls: type, name: str) -> None:
    """Raises what assigning raises, for a frozen dataclass."""
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        from dataclasses import FrozenInstanceError  # imported already: the class is one

        raise FrozenInstanceError(f"cannot assign to field {name!r}")


def names(shared: Object) -> List[str]:
    """What `dir` lists."""
    found = set(dir(type(shared)))
    found.update(dir(shared.__class__))
    found.update(name for name, _ in Object._attributes(shared))
    return sorted(found)


class Attributes(collections.abc.MutableMapping):  # type: ignore[type-arg]
    """The `__dict__` of a shared object: its attributes, live."""

    __slots__ = ("_shared",)

    def __init__(self, shared: Object) -> None:
        self._shared = shared

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise KeyError(name)
        return Object._get(self._shared, name)

    def __setitem__(self, name: str, value: Any) -> None:
        Object._set(self._shared, name, value)

    def __delitem__(self, name: str) -> None:
        try:
            Object._delete(self._shared, name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in Object._attributes(self._shared)])

    def __len__(self) -> int:
        return Object._count(self._shared)

    def __repr__(self) -> str:
        # Not by way of the object, whose class may show its `__dict__`.
        named = Object._attributes(self._shared)
        shown = [f"{name!r}: {value!r}" for name, value in named[:_SHOWN]]
        more = [f"... {len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
        return f"Attributes({{{', '.join(shown + more)}}})"
