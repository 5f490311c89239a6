"""The live views of a `Dict`: set operations from `collections.abc`, iteration from the core.

Operators give built-in sets. Each view iterates in insertion order, both ways, and raises
RuntimeError when any process changes the dict's size meanwhile.
"""

import collections.abc
import itertools
from types import MappingProxyType
from typing import Any, Iterator, Tuple

__all__ = ["ItemsView", "KeysView", "ValuesView"]

_NOTHING = object()
# Most elements that a repr shows.
_SHOWN = 20


def _repr(view: Any) -> str:
    shown = list(itertools.islice(view, _SHOWN))
    more = len(view) - len(shown)
    inside = ", ".join(map(repr, shown)) + (f", ... {more} more" if more > 0 else "")
    return f"{type(view).__name__}([{inside}])"


class KeysView(collections.abc.KeysView):  # type: ignore[type-arg]
    """What `Dict.keys()` returns."""

    __slots__ = ()
    _mapping: Any

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._mapping._iterate("keys", True))

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def mapping(self) -> "MappingProxyType[Any, Any]":
        """A read-only view of the dict."""
        return MappingProxyType(self._mapping)


class ValuesView(collections.abc.ValuesView):  # type: ignore[type-arg]
    """What `Dict.values()` returns."""

    __slots__ = ()
    _mapping: Any

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping._iterate("values"))

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._mapping._iterate("values", True))

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def mapping(self) -> "MappingProxyType[Any, Any]":
        """A read-only view of the dict."""
        return MappingProxyType(self._mapping)


class ItemsView(collections.abc.ItemsView):  # type: ignore[type-arg]
    """What `Dict.items()` returns."""

    __slots__ = ()
    _mapping: Any

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:
            return False
        key, value = item
        # Not by subscription, which makes what a defaultdict does not have.
        found = self._mapping.get(key, _NOTHING)
        return found is not _NOTHING and (found is value or found == value)

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        return iter(self._mapping._iterate("items"))

    def __reversed__(self) -> Iterator[Tuple[Any, Any]]:
        return iter(self._mapping._iterate("items", True))

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def mapping(self) -> "MappingProxyType[Any, Any]":
        """A read-only view of the dict."""
        return MappingProxyType(self._mapping)
