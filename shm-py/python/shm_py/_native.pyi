"""The native part of shm_py; its public names are those of `shm_py`."""

import collections
import os
from types import GenericAlias, TracebackType
from typing import (
    Any,
    Awaitable,
    Callable,
    Coroutine,
    Dict as _Dict,
    FrozenSet,
    Generic,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    List as _List,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Optional,
    Set as _Set,
    SupportsIndex,
    Tuple,
    Type,
    TypeVar,
    Union,
    ValuesView,
    final,
    overload,
)

from typing_extensions import disjoint_base

from ._records import Peer, Report, SegmentInfo, Stats

__all__ = [
    "__version__",
    "Array",
    "_new_array",
    "_ArrayBytes",
    "ByteArrayIterator",
    "ByteArray",
    "DictIterator",
    "Dict",
    "DequeIterator",
    "DequeReverseIterator",
    "Counter",
    "DefaultDict",
    "Deque",
    "Object",
    "OrderedDict",
    "ListIterator",
    "ListReverseIterator",
    "List",
    "Lease",
    "Queue",
    "Subscription",
    "Topic",
    "Transaction",
    "Struct",
    "Segment",
    "_close_all",
    "_settle",
    "_VecBytes",
    "_VecCore",
    "_canonical",
    "_make_struct",
    "_schema_source",
    "prune",
    "_reach",
    "_reattach",
    "_rebuild",
    "_restore",
    "segments",
    "_unlink",
    "SetIterator",
    "Set",
    "Turn",
    "Barrier",
    "Condition",
    "Event",
    "Lock",
    "RLock",
    "RWLock",
    "RWLockSide",
    "Semaphore",
    "_Waiters",
    "_lock",
    "Watch",
    "_wait_changed",
    "_watch",
]

__version__: str

_T = TypeVar("_T")
_K = TypeVar("_K")
_V = TypeVar("_V")
_D = TypeVar("_D")
_Place = Tuple[str, Optional["os.PathLike[str]"], int, bool]

@disjoint_base
class List(MutableSequence[_T]):
    """A list in shared memory; made by `seg.list(...)` or by storing a built-in list.

    Every method is one operation: it happens wholly or not at all, and every process sees it at
    once. `+`, `*`, slices and `copy` give built-in lists whose shared elements stay shared.
    """

    __hash__: None  # type: ignore[assignment]
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> _T: ...
    @overload
    def __getitem__(self, key: slice, /) -> _List[_T]: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: _T, /) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Iterable[_T], /) -> None: ...
    def __delitem__(self, key: Union[SupportsIndex, slice], /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> ListIterator[_T]: ...
    def __reversed__(self) -> ListReverseIterator[_T]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __lt__(self, value: Union[List[_T], _List[_T]], /) -> bool: ...
    def __le__(self, value: Union[List[_T], _List[_T]], /) -> bool: ...
    def __gt__(self, value: Union[List[_T], _List[_T]], /) -> bool: ...
    def __ge__(self, value: Union[List[_T], _List[_T]], /) -> bool: ...
    def __add__(self, value: Union[List[_T], _List[_T]], /) -> _List[_T]: ...
    def __radd__(self, value: Union[List[_T], _List[_T]], /) -> _List[_T]: ...
    def __iadd__(self, value: Iterable[_T], /) -> List[_T]: ...
    def __mul__(self, value: SupportsIndex, /) -> _List[_T]: ...
    def __rmul__(self, value: SupportsIndex, /) -> _List[_T]: ...
    def __imul__(self, value: SupportsIndex, /) -> List[_T]: ...
    def append(self, object: _T, /) -> None:
        """Append an object to the end."""

    def extend(self, iterable: Iterable[_T], /) -> None:
        """Append all elements of an iterable, in one step."""

    def insert(self, index: SupportsIndex, object: _T, /) -> None:
        """Insert an object before `index`."""

    def pop(self, index: SupportsIndex = -1, /) -> _T:
        """Remove and return the element at `index` (by default the last)."""

    def remove(self, value: _T, /) -> None:
        """Remove the first element that is equal to `value`; `ValueError` if there is none."""

    def clear(self) -> None:
        """Remove all elements."""

    def index(
        self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = 9223372036854775807, /
    ) -> int:
        """The index of the first element equal to `value` between `start` and `stop`."""

    def count(self, value: Any, /) -> int:
        """How many elements are equal to `value`."""

    def reverse(self) -> None:
        """Reverse in place."""

    def sort(self, *, key: Optional[Callable[[_T], Any]] = None, reverse: bool = False) -> None:
        """Sort in place, stable; the key function runs outside of any lock.

        Raises `ValueError` if the list was changed meanwhile, by whomever.
        """

    def copy(self) -> _List[_T]:
        """A built-in list of the elements; shared ones stay shared."""

    def add(self, index: SupportsIndex, delta: Any = 1, /) -> Any:
        """Add `delta` to the element at `index` in one step; returns the new value.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     seg.list([40]).add(0, 2)
        42
        """

    def compare_exchange(self, index: SupportsIndex, /, old: _T, new: _T) -> bool:
        """Store `new` at `index` if the element there is equal to `old`, in one step."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it.

        Reentrant; `LockTimeout` after `timeout` seconds. Whoever writes without asking for the lock
        waits for it too; readers do not. Take it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def to_py(self) -> _List[Any]:
        """A built-in copy of the list and of everything in it."""

    def __copy__(self) -> _List[_T]: ...
    def __deepcopy__(self, memo: object, /) -> _List[Any]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    @classmethod
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...

@disjoint_base
class Dict(MutableMapping[_K, _V]):
    """A dict in shared memory; made by `seg.dict(...)` or by storing a built-in dict.

    Keys keep their insertion order and obey Python's equality in every process. `|` and `copy`
    give built-in dicts whose shared values stay shared.
    """

    __hash__: None  # type: ignore[assignment]
    def __len__(self) -> int: ...
    def __getitem__(self, key: _K, /) -> _V: ...
    def __setitem__(self, key: _K, value: Any, /) -> None: ...
    def __delitem__(self, key: _K, /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> DictIterator[_K]: ...
    def __reversed__(self) -> DictIterator[_K]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __or__(self, value: Union[Dict[Any, Any], _Dict[Any, Any]], /) -> _Dict[Any, Any]: ...
    def __ror__(self, value: Union[Dict[Any, Any], _Dict[Any, Any]], /) -> _Dict[Any, Any]: ...
    def __ior__(self, value: Any, /) -> Dict[_K, _V]: ...  # type: ignore[misc]
    @overload
    def get(self, key: Any, default: None = None, /) -> Optional[_V]: ...
    @overload
    def get(self, key: Any, default: Union[_V, _D], /) -> Union[_V, _D]: ...
    def keys(self) -> KeysView[_K]:
        """A live view of the keys, with set operations."""

    def values(self) -> ValuesView[_V]:
        """A live view of the values."""

    def items(self) -> ItemsView[_K, _V]:
        """A live view of the entries, with set operations."""

    @overload
    def pop(self, key: _K, /) -> _V: ...
    @overload
    def pop(self, key: _K, default: Union[_V, _D] = ..., /) -> Union[_V, _D]: ...
    def popitem(self) -> Tuple[_K, _V]:
        """Remove and return the entry that was inserted last; `KeyError` if there is none."""

    def setdefault(self, key: _K, default: Any = None, /) -> Any:
        """The value for `key`; if there is none, `default` is inserted and returned, in one step."""

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Insert or replace entries, with the arguments of `dict`, in one step."""

    def clear(self) -> None:
        """Remove all entries."""

    def copy(self) -> _Dict[_K, _V]:
        """A built-in dict of the entries; shared values stay shared."""

    @staticmethod
    def fromkeys(iterable: Iterable[_D], value: Any = None, /) -> _Dict[_D, Any]:
        """A built-in dict with these keys and one value; `seg.dict(...)` shares it."""

    def add(self, key: _K, delta: Any = 1, /) -> Any:
        """Add `delta` to the value under `key` in one step; returns the new value.

        A key that is not there counts as 0.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     seg.root.add("visits"), seg.root.add("visits", 2)
        (1, 3)
        """

    def compare_exchange(self, key: _K, /, old: Any, new: Any) -> bool:
        """Store `new` under `key` if the value there is equal to `old`, in one step."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it.

        Reentrant; `LockTimeout` after `timeout` seconds. Whoever writes without asking for the lock
        waits for it too; readers do not. Take it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def to_py(self) -> _Dict[Any, Any]:
        """A built-in copy of the dict and of everything in it."""

    def _iterate(self, part: str, reverse: bool = False, /) -> DictIterator[Any]: ...
    def __copy__(self) -> _Dict[_K, _V]: ...
    def __deepcopy__(self, memo: object, /) -> _Dict[Any, Any]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    @classmethod
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...

@final
class Deque(List[_T]):
    """A deque in shared memory; made by storing a `collections.deque`, or by `seg.deque(...)`.

    Appending to a full one lets go of the item at the other end, in one step. `+`, `*` and `copy` give
    a `collections.deque` whose shared items stay shared.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     last = seg.deque([1, 2, 3], maxlen=3)
    ...     last.append(4)
    ...     last.rotate()
    ...     last.to_py()
    deque([4, 2, 3], maxlen=3)
    """

    @property
    def maxlen(self) -> Optional[int]:
        """How many items it holds at most; `None`: any number."""

    def __getitem__(self, key: SupportsIndex, /) -> _T: ...  # type: ignore[override]
    def __setitem__(self, key: SupportsIndex, value: _T, /) -> None: ...  # type: ignore[override]
    def __delitem__(self, key: SupportsIndex, /) -> None: ...  # type: ignore[override]
    def __iter__(self) -> DequeIterator[_T]: ...  # type: ignore[override]
    def __reversed__(self) -> DequeReverseIterator[_T]: ...  # type: ignore[override]
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __lt__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> bool: ...  # type: ignore[override]
    def __le__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> bool: ...  # type: ignore[override]
    def __gt__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> bool: ...  # type: ignore[override]
    def __ge__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> bool: ...  # type: ignore[override]
    def __add__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> collections.deque[_T]: ...  # type: ignore[override]
    def __radd__(self, value: Union[Deque[_T], collections.deque[_T]], /) -> collections.deque[_T]: ...  # type: ignore[override]
    def __iadd__(self, value: Iterable[_T], /) -> Deque[_T]: ...  # type: ignore[override]
    def __mul__(self, value: SupportsIndex, /) -> collections.deque[_T]: ...  # type: ignore[override]
    def __rmul__(self, value: SupportsIndex, /) -> collections.deque[_T]: ...  # type: ignore[override]
    def __imul__(self, value: SupportsIndex, /) -> Deque[_T]: ...  # type: ignore[override]
    def append(self, object: _T, /) -> None:
        """Append an object to the end; a full deque lets go of its first item."""

    def appendleft(self, object: _T, /) -> None:
        """Put an object in front; a full deque lets go of its last item."""

    def extend(self, iterable: Iterable[_T], /) -> None:
        """Append all elements of an iterable, in one step."""

    def extendleft(self, iterable: Iterable[_T], /) -> None:
        """Put all elements of an iterable in front, one after the other, in one step."""

    def insert(self, index: SupportsIndex, object: _T, /) -> None:
        """Insert an object before `index`; `IndexError` if the deque is full."""

    def pop(self) -> _T:  # type: ignore[override]
        """Remove and return the last item; `IndexError` if there is none."""

    def popleft(self) -> _T:
        """Remove and return the first item; `IndexError` if there is none."""

    def rotate(self, n: int = 1, /) -> None:
        """Move the last `n` items to the front; the first ones to the end, where `n` is negative."""

    def remove(self, value: _T, /) -> None:
        """Remove the first item that is equal to `value`; `ValueError` if there is none."""

    def index(
        self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = 9223372036854775807, /
    ) -> int:
        """The index of the first item equal to `value` between `start` and `stop`."""

    def copy(self) -> collections.deque[_T]:  # type: ignore[override]
        """A `collections.deque` of the items; shared ones stay shared."""

    def to_py(self) -> collections.deque[Any]:  # type: ignore[override]
        """A `collections.deque` of copies of the items and of everything in them."""

    def __copy__(self) -> collections.deque[_T]: ...  # type: ignore[override]

@final
class DefaultDict(Dict[_K, _V]):
    """A defaultdict in shared memory; made by storing a `collections.defaultdict`.

    A missing key is inserted in one step, so that two processes get the same value. The factory is one
    of list, dict, set, int, float, str, bytes, tuple, bool, bytearray, frozenset and None.

    >>> import collections, shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     seg.root["groups"] = collections.defaultdict(list)
    ...     seg.root["groups"]["a"].append(1)
    ...     seg.root["groups"].to_py()
    defaultdict(<class 'list'>, {'a': [1]})
    """

    @property
    def default_factory(self) -> Optional[Type[Any]]:
        """What makes the value of a missing key."""

    @default_factory.setter
    def default_factory(self, value: Optional[Type[Any]], /) -> None: ...
    def __missing__(self, key: _K, /) -> _V:
        """Insert and return a new value, or what another process has inserted meanwhile."""

    def __getitem__(self, key: _K, /) -> _V: ...
    @staticmethod
    def fromkeys(iterable: Iterable[_D], value: Any = None, /) -> collections.defaultdict[_D, Any]:
        """A `collections.defaultdict` with these keys and one value."""

    def __or__(self, value: Any, /) -> Any: ...
    def __ror__(self, other: Any, /) -> Any: ...
    def copy(self) -> collections.defaultdict[_K, _V]:
        """A `collections.defaultdict` of the entries; shared values stay shared."""

    def __copy__(self) -> collections.defaultdict[_K, _V]: ...

@final
class OrderedDict(Dict[_K, _V]):
    """An ordered dict in shared memory; made by storing a `collections.OrderedDict`.

    Moving an entry to the end costs what inserting one does, moving it to the front a copy of all.
    """

    def pop(self, key: _K, default: Any = ...) -> Any:
        """Remove `key` and return its value, or `default`; `KeyError` without one."""

    def setdefault(self, key: _K, default: Any = None) -> Any:
        """The value for `key`; if there is none, `default` is inserted and returned, in one step."""

    @staticmethod
    def fromkeys(iterable: Iterable[_D], value: Any = None) -> collections.OrderedDict[_D, Any]:
        """A `collections.OrderedDict` with these keys and one value."""

    def move_to_end(self, key: _K, last: bool = True) -> None:
        """Move an entry behind all others or, with `last=False`, before them; `KeyError` if it is not there."""

    def popitem(self, last: bool = True) -> Tuple[_K, _V]:
        """Remove and return the last entry or, with `last=False`, the first; `KeyError` if there is none."""

    def __or__(self, value: Any, /) -> Any: ...
    def __ror__(self, other: Any, /) -> Any: ...
    def copy(self) -> collections.OrderedDict[_K, _V]:
        """A `collections.OrderedDict` of the entries; shared values stay shared."""

    def __copy__(self) -> collections.OrderedDict[_K, _V]: ...

@final
class Counter(Dict[_K, int]):
    """A counter in shared memory; made by storing a `collections.Counter`, or by `seg.counter(...)`.

    `update`, `subtract` and the in-place operators are one step each; operators that make something
    new give a `collections.Counter`.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     words = seg.counter("abracadabra")
    ...     words.update("bb")
    ...     words["b"], words["z"], words.most_common(1)
    (4, 0, [('a', 5)])
    """

    def __missing__(self, key: _K, /) -> int:
        """The count of a key that is not there."""

    def __getitem__(self, key: Any, /) -> int: ...
    def __delitem__(self, key: Any, /) -> None: ...
    def most_common(self, n: Optional[int] = None) -> _List[Tuple[_K, int]]:
        """The elements and their counts, most common first; of all, or of `n`."""

    def elements(self) -> Iterator[_K]:
        """Each element as often as it is counted."""

    def total(self) -> int:
        """The sum of the counts; from Python 3.10 on."""

    def update(self, iterable: Any = None, /, **kwds: int) -> None:
        """Add counts: of the elements of an iterable, or from a mapping, in one step."""

    def subtract(self, iterable: Any = None, /, **kwds: int) -> None:
        """Subtract counts, in one step; they may become negative."""

    def __add__(self, other: Any) -> Any: ...
    def __sub__(self, other: Any) -> Any: ...
    def __and__(self, other: Any) -> Any: ...
    def __or__(self, other: Any) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __rand__(self, other: Any, /) -> Any: ...
    def __ror__(self, other: Any, /) -> Any: ...
    def __pos__(self) -> Any: ...
    def __neg__(self) -> Any: ...
    def __iadd__(self, other: Any) -> Any: ...
    def __isub__(self, other: Any) -> Any: ...
    def __iand__(self, other: Any) -> Any: ...
    def __ior__(self, other: Any) -> Any: ...
    def __lt__(self, other: Any) -> bool: ...
    def __le__(self, other: Any) -> bool: ...
    def __gt__(self, other: Any) -> bool: ...
    def __ge__(self, other: Any) -> bool: ...
    def copy(self) -> collections.Counter[_K]:
        """A `collections.Counter` of the counts."""

    @staticmethod
    def fromkeys(iterable: Any, v: Any = None) -> Any:
        """As in `collections.Counter`: not there."""

    def _add_all(self, counts: _Dict[Any, Any], /) -> None: ...
    def _replace_all(self, counts: _Dict[Any, Any], version: int, /) -> bool: ...
    def _version(self) -> int: ...
    def __copy__(self) -> collections.Counter[_K]: ...

@disjoint_base
class Object:
    """An instance of a plain class or dataclass in shared memory; made by storing one.

    Its attributes are changed in place, and every process sees it. Where the class is loaded, its methods
    and properties work on it, `isinstance(x, Point)` is true, and `to_py()` gives a true instance; nothing
    is imported for it. An attribute hides a method of `Object` of the same name: then use the class, as in
    `Object.to_py(x)`.
    """

    def __new__(cls, ticket: Any, /) -> Object: ...
    def __getattribute__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def __dir__(self) -> _List[str]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def add(self, attribute: str, delta: Any = 1, /) -> Any:
        """Add `delta` to a number attribute in one step; returns the new value."""

    def compare_exchange(self, attribute: str, /, old: Any, new: Any) -> bool:
        """Store `new` in an attribute if its value is equal to `old`, in one step."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it."""

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def to_py(self) -> Any:
        """An instance with all attributes, copied at any depth."""

    def _attributes(self) -> _List[Tuple[str, Any]]: ...
    def _get(self, name: str) -> Any: ...
    def _set(self, name: str, value: Any) -> None: ...
    def _delete(self, name: str) -> None: ...
    def _count(self) -> int: ...
    def __copy__(self) -> Any: ...
    def __deepcopy__(self, memo: object, /) -> Any: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    def __reduce_ex__(self, _protocol: SupportsIndex, /) -> Tuple[Any, ...]: ...

@final
class Set(MutableSet[_T]):
    """A set in shared memory; made by `seg.set(...)` or by storing a built-in set.

    The in-place forms are one step each; what makes something new gives a built-in set.
    """

    __hash__: None  # type: ignore[assignment]
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> SetIterator[_T]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __lt__(self, value: Any, /) -> bool: ...
    def __le__(self, value: Any, /) -> bool: ...
    def __gt__(self, value: Any, /) -> bool: ...
    def __ge__(self, value: Any, /) -> bool: ...
    def __or__(self, value: Any, /) -> Any: ...
    def __ror__(self, value: Any, /) -> Any: ...
    def __and__(self, value: Any, /) -> Any: ...
    def __rand__(self, value: Any, /) -> Any: ...
    def __sub__(self, value: Any, /) -> Any: ...
    def __rsub__(self, value: Any, /) -> Any: ...
    def __xor__(self, value: Any, /) -> Any: ...
    def __rxor__(self, value: Any, /) -> Any: ...
    def __ior__(self, value: Any, /) -> Set[_T]: ...
    def __iand__(self, value: Any, /) -> Set[_T]: ...
    def __isub__(self, value: Any, /) -> Set[_T]: ...
    def __ixor__(self, value: Any, /) -> Set[_T]: ...
    def add(self, member: _T, /) -> None:
        """Add a member; nothing happens if it is there."""

    def discard(self, member: Any, /) -> None:
        """Remove a member if it is there."""

    def remove(self, member: Any, /) -> None:
        """Remove a member; `KeyError` if it is not there."""

    def pop(self) -> _T:
        """Remove and return some member; `KeyError` if there is none."""

    def clear(self) -> None:
        """Remove all members."""

    def update(self, *others: Iterable[_T]) -> None:
        """Add all members of the others."""

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Keep only members that all others have."""

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove all members of the others."""

    def symmetric_difference_update(self, other: Iterable[_T], /) -> None:
        """Keep the members that only one of the two has."""

    def union(self, *others: Iterable[_D]) -> _Set[Union[_T, _D]]:
        """A built-in set of all members of this and the others."""

    def intersection(self, *others: Iterable[Any]) -> _Set[_T]:
        """A built-in set of the members that this and all others have."""

    def difference(self, *others: Iterable[Any]) -> _Set[_T]:
        """A built-in set of the members that none of the others has."""

    def symmetric_difference(self, other: Iterable[_D], /) -> _Set[Union[_T, _D]]:
        """A built-in set of the members that only one of the two has."""

    def issubset(self, other: Iterable[Any], /) -> bool:
        """Whether every member is in `other`."""

    def issuperset(self, other: Iterable[Any], /) -> bool:
        """Whether every element of `other` is a member."""

    def isdisjoint(self, other: Iterable[Any], /) -> bool:
        """Whether the two have no member in common."""

    def copy(self) -> _Set[_T]:
        """A built-in set of the members."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it.

        Reentrant; `LockTimeout` after `timeout` seconds. Whoever writes without asking for the lock
        waits for it too; readers do not. Take it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def to_py(self) -> _Set[_T]:
        """A built-in set of the members."""

    def __copy__(self) -> _Set[_T]: ...
    def __deepcopy__(self, memo: object, /) -> _Set[_T]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    @classmethod
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...

_Bytes = Union[bytes, bytearray, memoryview, "ByteArray"]

@final
class ByteArray(MutableSequence[int]):
    """A bytearray in shared memory; made by `seg.bytearray(...)` or by storing a built-in one.

    What changes it is one step; methods that only read work on a built-in copy. Its buffer
    (`hashlib.sha256(b)`, `file.write(b)`) is a private copy of the moment and cannot be written to: other
    processes resize the bytearray. `seg.array(n, "u1")` has a buffer that can.
    """

    __hash__: None  # type: ignore[assignment]
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytearray: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: SupportsIndex, /) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Union[Iterable[int], _Bytes], /) -> None: ...
    def __delitem__(self, key: Union[SupportsIndex, slice], /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> ByteArrayIterator: ...
    def __bytes__(self) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __lt__(self, value: _Bytes, /) -> bool: ...
    def __le__(self, value: _Bytes, /) -> bool: ...
    def __gt__(self, value: _Bytes, /) -> bool: ...
    def __ge__(self, value: _Bytes, /) -> bool: ...
    def __add__(self, value: _Bytes, /) -> bytearray: ...
    def __radd__(self, value: _Bytes, /) -> Any: ...
    def __iadd__(self, value: _Bytes, /) -> ByteArray: ...  # type: ignore[override]
    def __mul__(self, value: SupportsIndex, /) -> bytearray: ...
    def __rmul__(self, value: SupportsIndex, /) -> bytearray: ...
    def __imul__(self, value: SupportsIndex, /) -> ByteArray: ...
    def __mod__(self, value: Any, /) -> bytearray: ...
    def __rmod__(self, value: Any, /) -> Any: ...
    def append(self, item: SupportsIndex, /) -> None:
        """Append one byte."""

    def extend(self, iterable_of_ints: Union[Iterable[int], _Bytes], /) -> None:
        """Append all bytes of a bytes-like object or an iterable of ints."""

    def insert(self, index: SupportsIndex, item: SupportsIndex, /) -> None:
        """Insert one byte before `index`."""

    def pop(self, index: int = -1, /) -> int:
        """Remove and return the byte at `index` (by default the last)."""

    def remove(self, value: int, /) -> None:
        """Remove the first byte that is equal to `value`; `ValueError` if there is none."""

    def reverse(self) -> None:
        """Reverse in place."""

    def clear(self) -> None:
        """Remove all bytes."""

    def copy(self) -> bytearray:
        """A built-in bytearray with the same content."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it.

        Reentrant; `LockTimeout` after `timeout` seconds. Whoever writes without asking for the lock
        waits for it too; readers do not. Take it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def to_py(self) -> bytearray:
        """A built-in bytearray with the same content."""

    # These read a built-in copy, with the arguments of the method of `bytearray`.
    def capitalize(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def center(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def count(self, *args: Any, **kwargs: Any) -> int: ...
    def decode(self, *args: Any, **kwargs: Any) -> str: ...
    def endswith(self, *args: Any, **kwargs: Any) -> bool: ...
    def expandtabs(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def find(self, *args: Any, **kwargs: Any) -> int: ...
    def hex(self, *args: Any, **kwargs: Any) -> str: ...
    def index(self, *args: Any, **kwargs: Any) -> int: ...
    def isalnum(self, *args: Any, **kwargs: Any) -> bool: ...
    def isalpha(self, *args: Any, **kwargs: Any) -> bool: ...
    def isascii(self, *args: Any, **kwargs: Any) -> bool: ...
    def isdigit(self, *args: Any, **kwargs: Any) -> bool: ...
    def islower(self, *args: Any, **kwargs: Any) -> bool: ...
    def isspace(self, *args: Any, **kwargs: Any) -> bool: ...
    def istitle(self, *args: Any, **kwargs: Any) -> bool: ...
    def isupper(self, *args: Any, **kwargs: Any) -> bool: ...
    def join(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def ljust(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def lower(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def lstrip(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def partition(self, *args: Any, **kwargs: Any) -> Tuple[bytearray, bytearray, bytearray]: ...
    def removeprefix(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def removesuffix(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def replace(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def rfind(self, *args: Any, **kwargs: Any) -> int: ...
    def rindex(self, *args: Any, **kwargs: Any) -> int: ...
    def rjust(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def rpartition(self, *args: Any, **kwargs: Any) -> Tuple[bytearray, bytearray, bytearray]: ...
    def rsplit(self, *args: Any, **kwargs: Any) -> _List[bytearray]: ...
    def rstrip(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def split(self, *args: Any, **kwargs: Any) -> _List[bytearray]: ...
    def splitlines(self, *args: Any, **kwargs: Any) -> _List[bytearray]: ...
    def startswith(self, *args: Any, **kwargs: Any) -> bool: ...
    def strip(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def swapcase(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def title(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def translate(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def upper(self, *args: Any, **kwargs: Any) -> bytearray: ...
    def zfill(self, *args: Any, **kwargs: Any) -> bytearray: ...
    @staticmethod
    def fromhex(string: str, /) -> bytearray: ...
    @staticmethod
    def maketrans(frm: _Bytes, to: _Bytes, /) -> bytes: ...
    def __copy__(self) -> bytearray: ...
    def __deepcopy__(self, memo: object, /) -> bytearray: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Struct:
    """A typed struct in shared memory, whose fields are attributes; made in Rust, or with `struct`.

    A wrong type is a `TypeError` and an unknown field an `AttributeError`: both name the fields.
    A field hides a method of the same name; then use the class, as in `Struct.to_py(value)`.
    """

    __hash__: None  # type: ignore[assignment]
    def __getattribute__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def __dir__(self) -> _List[str]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def add(self, field: str, delta: Any = 1, /) -> Any:
        """Add `delta` to a number field in one step; returns the new value."""

    def compare_exchange(self, field: str, /, old: Any, new: Any) -> bool:
        """Store `new` in a field if its value is equal to `old`, in one step."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps all other writers out of it.

        Reentrant; `LockTimeout` after `timeout` seconds. Whoever writes without asking for the lock
        waits for it too; readers do not. Take it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread changes this object; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what changes after the call is news."""

    def load(self) -> Any:
        """A dataclass with all fields, copied at one moment, at any depth."""

    def update(self) -> Any:
        """A context manager: what is assigned in its block is set at once when it ends, or not at all.

        >>> import shm_py
        >>> @shm_py.struct
        ... class Point:
        ...     x: shm_py.f64
        ...     y: shm_py.f64
        >>> seg = shm_py.create(size="16MiB")
        >>> seg.root["p"] = Point(1.0, 2.0)
        >>> with seg.root["p"].update() as p:
        ...     p.x, p.y = p.y, p.x
        >>> seg.root["p"].load()
        Point(x=2.0, y=1.0)
        >>> seg.close()
        """

    def _set_many(self, changes: _Dict[str, Any]) -> None: ...
    def _is_nested(self) -> bool: ...
    def _text(self) -> str: ...
    def _values(self) -> Tuple[Any, ...]: ...
    def to_py(self) -> _Dict[str, Any]:
        """A dict of all fields, copied at one moment, at any depth."""

    def schema(self) -> Tuple[str, _Dict[str, str]]:
        """The schema's name, and the type of each field in the notation of Rust."""

    def __copy__(self) -> _Dict[str, Any]: ...
    def __deepcopy__(self, memo: object, /) -> _Dict[str, Any]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    def __reduce_ex__(self, _protocol: SupportsIndex, /) -> Tuple[Any, ...]: ...

@final
class Array:
    """An array of numbers in shared memory; made by `seg.array(...)` or by storing one of numpy's.

    `array[...]` is a numpy array on the elements where they are, without a copy; so are slices and
    `numpy.asarray(array)`, and `memoryview(array)` where numpy is not installed. A single element is a Python
    number. Operators, and all methods of numpy's arrays, work on such a view: what they return is
    numpy's, and what changes an array in place (`array += 1`, `array.sort()`) changes the shared one.

    A view keeps the memory: the segment is not closed and the array not freed while there is one. Each
    element is read and stored whole, and nothing guards several of them: `lock()` is kept out of by those only
    who ask for it, and stores through views are not undone with a transaction.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     grid = seg.array((3, 4))
    ...     grid[1, 2] = 2.5
    ...     grid += 1
    ...     grid[1, 2], grid.shape
    (3.5, (3, 4))
    """

    __hash__: None  # type: ignore[assignment]
    @property
    def shape(self) -> Tuple[int, ...]:
        """How many elements there are in each dimension."""

    @property
    def ndim(self) -> int:
        """How many dimensions there are."""

    @property
    def size(self) -> int:
        """How many elements there are in all."""

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""

    @property
    def dtype(self) -> Any:
        """The type of the elements: numpy's dtype, or its name where numpy is not installed."""

    @property
    def _type(self) -> Tuple[int, str]: ...
    def _bytes(self) -> _ArrayBytes: ...
    def _first(self, most: int) -> _List[Any]: ...
    def _store(self, place: int, bits: int) -> None: ...
    def _place(self, key: Any) -> Optional[int]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reversed__(self) -> Iterator[Any]: ...
    def __contains__(self, value: Any) -> bool: ...
    def __bool__(self) -> bool: ...
    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any: ...
    @property
    def __array_interface__(self) -> _Dict[str, Any]: ...
    def __dlpack__(self, **options: Any) -> Any: ...
    def __dlpack_device__(self) -> Tuple[int, int]: ...
    def __getattr__(self, name: str) -> Any: ...
    def fill(self, value: Any) -> None:
        """Store one value into all elements."""

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers; one number for no dimensions."""

    def item(self, *index: Any) -> Any:
        """One element as a Python number: the only one, or that at an index."""

    def to_py(self) -> Any:
        """A private copy: numpy's array; nested lists where numpy is not installed."""

    def notify(self) -> None:
        """Tell everybody who waits for a change of this array that it has changed: stores do not."""

    def lock(self, timeout: Optional[float] = None, *, on_owner_died: str = "warn") -> RLock:
        """The lock of this object: `with obj.lock():` keeps out whoever asks for it too.

        Reentrant; `LockTimeout` after `timeout` seconds. Stores into elements do not wait for it. Take
        it before a transaction, not inside of one.
        """

    def wait_changed(self, timeout: Optional[float] = None) -> bool:
        """Wait until another process or thread calls `notify()`; whether it has in time."""

    def wait_changed_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """`wait_changed` for coroutines: what is told after the call is news."""

    def __copy__(self, memo: Any = None) -> Any: ...
    def __deepcopy__(self, memo: Any = None) -> Any: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __complex__(self) -> complex: ...
    def __index__(self) -> int: ...
    def __eq__(self, other: Any) -> Any: ...
    def __ne__(self, other: Any) -> Any: ...
    def __lt__(self, other: Any) -> Any: ...
    def __le__(self, other: Any) -> Any: ...
    def __gt__(self, other: Any) -> Any: ...
    def __ge__(self, other: Any) -> Any: ...
    def __add__(self, other: Any) -> Any: ...
    def __radd__(self, *others: Any) -> Any: ...
    def __iadd__(self, other: Any) -> Array: ...
    def __sub__(self, other: Any) -> Any: ...
    def __rsub__(self, *others: Any) -> Any: ...
    def __isub__(self, other: Any) -> Array: ...
    def __mul__(self, other: Any) -> Any: ...
    def __rmul__(self, *others: Any) -> Any: ...
    def __imul__(self, other: Any) -> Array: ...
    def __truediv__(self, other: Any) -> Any: ...
    def __rtruediv__(self, *others: Any) -> Any: ...
    def __itruediv__(self, other: Any) -> Array: ...
    def __floordiv__(self, other: Any) -> Any: ...
    def __rfloordiv__(self, *others: Any) -> Any: ...
    def __ifloordiv__(self, other: Any) -> Array: ...
    def __mod__(self, other: Any) -> Any: ...
    def __rmod__(self, *others: Any) -> Any: ...
    def __imod__(self, other: Any) -> Array: ...
    def __pow__(self, other: Any) -> Any: ...
    def __rpow__(self, *others: Any) -> Any: ...
    def __ipow__(self, other: Any) -> Array: ...
    def __matmul__(self, other: Any) -> Any: ...
    def __rmatmul__(self, *others: Any) -> Any: ...
    def __imatmul__(self, other: Any) -> Array: ...
    def __lshift__(self, other: Any) -> Any: ...
    def __rlshift__(self, *others: Any) -> Any: ...
    def __ilshift__(self, other: Any) -> Array: ...
    def __rshift__(self, other: Any) -> Any: ...
    def __rrshift__(self, *others: Any) -> Any: ...
    def __irshift__(self, other: Any) -> Array: ...
    def __and__(self, other: Any) -> Any: ...
    def __rand__(self, *others: Any) -> Any: ...
    def __iand__(self, other: Any) -> Array: ...
    def __or__(self, other: Any) -> Any: ...
    def __ror__(self, *others: Any) -> Any: ...
    def __ior__(self, other: Any) -> Array: ...
    def __xor__(self, other: Any) -> Any: ...
    def __rxor__(self, *others: Any) -> Any: ...
    def __ixor__(self, other: Any) -> Array: ...
    def __divmod__(self, *others: Any) -> Any: ...
    def __rdivmod__(self, *others: Any) -> Any: ...
    def __neg__(self, *others: Any) -> Any: ...
    def __pos__(self, *others: Any) -> Any: ...
    def __abs__(self, *others: Any) -> Any: ...
    def __invert__(self, *others: Any) -> Any: ...

def _new_array(
    segment: Segment,
    shape: _List[int],
    code: int,
    itemsize: int,
    text: str,
    content: Any = None,
    /,
) -> Array: ...
@final
class _ArrayBytes:
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class _VecBytes:
    # `__buffer__` has a name from Python 3.12 on; numpy and memoryview take it as it is.
    ...

@final
class _VecCore:
    def __len__(self) -> int: ...
    def chunk(self, start: int, limit: int) -> _List[Any]: ...
    def set(self, index: int, value: Any) -> None: ...
    def splice(self, start: int, stop: int, values: Any) -> None: ...
    def splice_bytes(self, start: int, stop: int, content: bytes) -> None: ...
    def bytes(self) -> _VecBytes: ...
    def dtype(self) -> Any: ...

@final
class Turn:
    """A turn of a segment; `with seg.turn(): ...` runs the block alone among all processes."""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def owner_died(self) -> bool:
        """Whether the holder before died inside, as the last `acquire` of this handle found."""

    def acquire(self, timeout: Optional[float] = None) -> None:
        """Wait for the turn; `LockTimeout` when `timeout` seconds have passed."""

    def release(self) -> None:
        """Hand the turn on to the one who waits longest."""

    def locked(self) -> bool:
        """Whether somebody holds it."""

    def __enter__(self) -> Turn: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def acquire_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, Turn]:
        """As `acquire`, for a coroutine; no thread waits."""

    def __aenter__(self) -> Coroutine[Any, Any, Turn]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    def _stand(self) -> int: ...
    def _poll(self, place: int, thorough: bool, /) -> bool: ...
    def _give_up(self, place: int, /) -> None: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Lock:
    """A named lock of a segment, with the methods of `threading.Lock`.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     with seg.lock("ledger", timeout=5) as held:
    ...         held
    True
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def owner_died(self) -> bool:
        """Whether the holder before died inside, as the last `acquire` of this handle found."""

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take it, waiting if `blocking`; whether it was taken within `timeout` seconds."""

    def release(self) -> None:
        """Give it back."""

    def locked(self) -> bool:
        """Whether somebody holds it."""

    def __enter__(self) -> bool: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def acquire_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `acquire`, for a coroutine; no thread waits."""

    def __aenter__(self) -> Coroutine[Any, Any, bool]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    def _ready(self) -> bool: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class RLock:
    """A reentrant lock, named or an object's, with the methods of `threading.RLock`.

    Threads hold it; in coroutines, where it was taken by `async with`, tasks do.
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def owner_died(self) -> bool:
        """Whether the holder before died inside, as the last `acquire` of this handle found."""

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take it, waiting if `blocking`; whether it was taken within `timeout` seconds."""

    def release(self) -> None:
        """Give it back."""

    def locked(self) -> bool:
        """Whether somebody holds it."""

    def acquire_async(self, timeout: Optional[float] = None) -> Awaitable[bool]:
        """As `acquire`, for a coroutine: the running task holds it, and may take it again."""

    def __aenter__(self) -> Coroutine[Any, Any, bool]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def _ready(self) -> bool: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def _is_owned(self) -> bool: ...
    def _recursion_count(self) -> int: ...
    def _release_save(self) -> int: ...
    def _acquire_restore(self, state: int, /) -> None: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class RWLock:
    """A named read-write lock of a segment; neither side starves.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     lock = seg.rwlock("book")
    ...     with lock.read():
    ...         lock.write().acquire(False)
    Traceback (most recent call last):
      ...
    shm_py.errors.DeadlockError: deadlock: this thread reads under rwlock "book" and wants to write; take locks in one order everywhere, or one lock for both
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    def read(self, timeout: Optional[float] = None) -> RWLockSide:
        """The reader's side: `with lock.read(): ...`; `LockTimeout` after `timeout` seconds."""

    def write(self, timeout: Optional[float] = None) -> RWLockSide:
        """The writer's side: `with lock.write(): ...`; `LockTimeout` after `timeout` seconds."""
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class RWLockSide:
    """One side of a read-write lock, with the methods of a lock."""

    @property
    def owner_died(self) -> bool:
        """Whether the holder before died inside, as the last `acquire` of this handle found."""

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take it, waiting if `blocking`; whether it was taken within `timeout` seconds."""

    def release(self) -> None:
        """Give it back."""

    def locked(self) -> bool:
        """Whether somebody holds it."""

    def __enter__(self) -> bool: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def acquire_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `acquire`, for a coroutine; no thread waits."""

    def __aenter__(self) -> Coroutine[Any, Any, bool]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    def _ready(self) -> bool: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Semaphore:
    """A named semaphore of a segment, with the methods of `threading.Semaphore`.

    The permits that a process took come back when it dies.
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def value(self) -> int:
        """How many permits there are to take."""

    @property
    def owner_died(self) -> bool:
        """Whether the holder before died inside, as the last `acquire` of this handle found."""

    def acquire(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Take a permit, waiting if `blocking`; whether there was one within `timeout` seconds."""

    def release(self, n: int = 1) -> None:
        """Give `n` permits back."""

    def __enter__(self) -> bool: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def acquire_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `acquire`, for a coroutine; no thread waits."""

    def __aenter__(self) -> Coroutine[Any, Any, bool]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    def _ready(self) -> bool: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Event:
    """A named event of a segment, with the methods of `threading.Event`."""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    def set(self) -> None:
        """Set the flag and wake everybody who waits for it."""

    def clear(self) -> None:
        """Clear the flag."""

    def is_set(self) -> bool:
        """Whether the flag is set."""

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until the flag is set; whether it was within `timeout` seconds."""

    def wait_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `wait`, for a coroutine; no thread waits."""

    @property
    def _times_set(self) -> int: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Condition:
    """A named condition of a segment, with the methods of `threading.Condition`."""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take it, waiting if `blocking`; whether it was taken within `timeout` seconds."""

    def release(self) -> None:
        """Give it back."""

    def __enter__(self) -> bool: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def wait(self, timeout: Optional[float] = None) -> bool:
        """Give the lock back, wait to be notified, take the lock; whether it was in time."""

    def wait_for(
        self, predicate: Callable[[], _T], timeout: Optional[float] = None
    ) -> _T:
        """Wait until `predicate()` is true; its last value."""

    def notify(self, n: int = 1) -> None:
        """Wake the `n` who wait longest; the lock is held."""

    def notify_all(self) -> None:
        """Wake everybody who waits; the lock is held."""

    def wait_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `wait`, for a coroutine; no thread waits."""

    def acquire_async(
        self, timeout: Optional[float] = None
    ) -> Coroutine[Any, Any, bool]:
        """As `acquire`, for a coroutine; no thread waits."""

    def __aenter__(self) -> Coroutine[Any, Any, bool]: ...
    def __aexit__(self, *_exception: Any) -> Coroutine[Any, Any, None]: ...
    def _require_plain(self) -> None: ...
    def _join(self) -> int: ...
    def _notified(self, ticket: int, /) -> bool: ...
    def _leave(self, ticket: int, /) -> bool: ...
    def _ready(self) -> bool: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Barrier:
    """A named barrier of a segment, with the methods of `threading.Barrier`."""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def parties(self) -> int:
        """How many it waits for."""

    @property
    def n_waiting(self) -> int:
        """How many wait at this moment."""

    @property
    def broken(self) -> bool:
        """Whether it is broken."""

    def wait(self, timeout: Optional[float] = None) -> int:
        """Wait until all parties do; a number from 0 to parties - 1, another one for each."""

    def wait_async(self, timeout: Optional[float] = None) -> Awaitable[int]:
        """`wait` for coroutines; one that times out or is cancelled breaks the barrier."""

    def _arrive(self) -> Optional[Tuple[int, int]]: ...
    def _pass(self, round: int) -> None: ...
    def _poll(self, round: int) -> bool: ...
    @property
    def _key(self) -> Tuple[str, int, str]: ...
    def reset(self) -> None:
        """Make the barrier as new; who waits gets `BrokenBarrierError`."""

    def abort(self) -> None:
        """Break the barrier, until it is reset."""
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Queue:
    """A named queue of a segment; any number of processes puts and takes.

    >>> import shm_py
    >>> with shm_py.create(size="1MiB") as seg:
    ...     jobs = seg.queue("jobs", maxsize=100)
    ...     jobs.put({"n": 1})
    ...     jobs.get()["n"]
    1
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def maxsize(self) -> int:
        """How many objects it takes; 0 for any number."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can be put."""

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Put an object into the queue, waiting for room; `Full` when `timeout` has passed.

        Built-in objects are copied in; shared objects are handed over by reference.
        """

    def put_nowait(self, item: Any) -> None:
        """Put an object into the queue if there is room, else raise `Full`."""

    def put_async(self, item: Any, timeout: Optional[float] = None) -> Awaitable[None]:
        """`put` for coroutines."""

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Take the oldest object, waiting for one; `Empty` when `timeout` has passed."""

    def get_nowait(self) -> Any:
        """Take the oldest object if there is one, else raise `Empty`."""

    def get_async(self, timeout: Optional[float] = None) -> Awaitable[Any]:
        """`get` for coroutines."""

    def get_lease(self, block: bool = True, timeout: Optional[float] = None) -> Lease:
        """Take the oldest object on probation: it comes back unless the lease is acknowledged.

        One for which the segment has no room is an object of another segment.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     jobs = seg.queue("jobs")
        ...     jobs.put("job")
        ...     with jobs.get_lease() as job:
        ...         job, jobs.qsize(), jobs.leased()
        ...     jobs.leased()
        ('job', 0, 1)
        0
        """

    def get_lease_async(self, timeout: Optional[float] = None) -> Awaitable[Lease]:
        """`get_lease` for coroutines."""

    def leased(self) -> int:
        """How many objects are taken and not acknowledged."""

    def reclaim(self) -> int:
        """Give back what dead processes had taken on probation; returns how many objects.

        Whoever takes from the queue does this by itself.
        """

    def qsize(self) -> int:
        """How many objects wait."""

    def empty(self) -> bool:
        """Whether no object waits."""

    def full(self) -> bool:
        """Whether there is no room."""

    def close(self, immediate: bool = False) -> None:
        """Let nothing more be put, for every process; `immediate` also empties the queue.

        What is there can still be taken; then `get` raises `QueueClosed`, as it does for whoever
        waits.
        """

    @property
    def _key(self) -> Tuple[int, str]: ...
    def _version(self) -> int: ...
    def _share(self, item: Any, /) -> Any: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Lease:
    """An object taken on probation.

    `with queue.get_lease() as item:` acknowledges it at the end of the block, and gives it back if
    the block raises or the process dies.
    """

    @property
    def value(self) -> Any:
        """The object."""

    @property
    def settled(self) -> bool:
        """Whether it was acknowledged or given back here."""

    def ack(self) -> None:
        """The work is done: the object does not come back."""

    def give_back(self) -> None:
        """Give the object back to the front of the queue."""

    def __enter__(self) -> Any: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        _value: Optional[BaseException],
        _traceback: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Topic:
    """A named topic of a segment: every subscriber sees every message.

    The topic keeps the last messages; a subscriber that is slower than that loses the oldest ones
    and is told how many (`Subscription.lost`).
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def keep(self) -> int:
        """How many messages it keeps for slow subscribers."""

    def publish(self, item: Any) -> None:
        """Publish an object to everybody who subscribed; it never waits."""

    def subscribe(self, replay: bool = False) -> Subscription:
        """See what is published from now on; with `replay`, also what the topic still keeps.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     prices = seg.topic("prices")
        ...     one, other = prices.subscribe(), prices.subscribe()
        ...     prices.publish(101.5)
        ...     one.get(), other.get()
        (101.5, 101.5)
        """

    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class Subscription(Iterator[Any]):
    """A place in a topic; iterating waits for message after message, `async for` too."""

    @property
    def lost(self) -> int:
        """How many messages went before this subscriber saw them."""

    def pending(self) -> int:
        """How many messages wait for it."""

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """The next message, waiting for one; `Empty` when `timeout` has passed."""

    def get_async(self, timeout: Optional[float] = None) -> Awaitable[Any]:
        """`get` for coroutines."""

    def _version(self) -> int: ...
    def __iter__(self) -> Subscription: ...
    def __next__(self) -> Any: ...
    def __aiter__(self) -> Subscription: ...
    def __anext__(self) -> Awaitable[Any]: ...

@final
class Transaction:
    """A transaction of a segment; see `Segment.transaction`."""

    def rollback(self) -> None:
        """Undo everything so far. What is changed afterwards in the block is part of it again."""

    def __enter__(self) -> Transaction: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        _value: Optional[BaseException],
        _traceback: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Watch(Iterator[Any]):
    """What is watched; iterating waits for change after change, `async for` too.

    No change that lasts is missed; several quick ones may be told as one.
    """

    @property
    def value(self) -> Any:
        """What is there, as of the last look; None where the path leads nowhere."""

    def poll(self) -> bool:
        """Whether it has changed since the last look."""

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it changes; whether it has within `timeout` seconds."""

    def __iter__(self) -> Watch: ...
    def __next__(self) -> Any: ...
    def __aiter__(self) -> Watch: ...
    def __anext__(self) -> Awaitable[Any]: ...

@final
class _Waiters:
    def __new__(cls) -> _Waiters: ...
    def add(self, number: int, target: Any, version: int = 0, /) -> None: ...
    def remove(self, number: int, /) -> bool: ...
    def wait(self, seconds: float, /) -> _List[int]: ...
    def __len__(self) -> int: ...

@final
class Segment:
    """A segment of shared memory, attached to this process; see `create`, `attach`, `open`."""

    @property
    def name(self) -> str:
        """The name under which other processes attach."""

    @property
    def path(self) -> Optional["os.PathLike[str]"]:
        """The file, where the segment was opened by path."""

    @property
    def size(self) -> int:
        """The ceiling in bytes."""

    @property
    def used(self) -> int:
        """Bytes taken now."""

    @property
    def root(self) -> Dict[Any, Any]:
        """The dict that everything else hangs on."""

    @property
    def closed(self) -> bool:
        """Whether this attachment is closed."""

    @property
    def readonly(self) -> bool:
        """Whether this attachment only reads."""

    @property
    def peers(self) -> _List[Peer]:
        """One record for each attached process."""

    def schemas(self) -> _Dict[Tuple[str, int], str]:
        """The schemas of its structs: canonical texts by name and version, oldest first."""

    def close(self) -> None:
        """Detach this process; its handles raise `Closed` from now on."""

    def snapshot(self, path: "Union[str, os.PathLike[str]]") -> int:
        """Write the whole segment, as of one moment, to a file, replacing a former snapshot; returns its bytes.

        Writers wait for it, readers do not. `shm_py.restore` makes a segment of it.
        """

    def unlink(self) -> None:
        """Remove the name, if it is still there; attached processes keep their memory until they close.

        Before or after `close()`.
        """

    def list(self, iterable: Iterable[_T] = (), /) -> List[_T]:
        """A new shared list, with the arguments of `list`.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     numbers = seg.list(range(3))
        ...     numbers += [3]
        ...     sum(numbers)
        6
        """

    def dict(self, /, *args: Any, **kwargs: Any) -> Dict[Any, Any]:
        """A new shared dict, with the arguments of `dict`."""

    def set(self, iterable: Iterable[_T] = (), /) -> Set[_T]:
        """A new shared set, with the arguments of `set`."""

    def deque(self, iterable: Iterable[Any] = (), maxlen: Optional[int] = None) -> Deque[Any]:
        """A new shared deque, with the arguments of `collections.deque`."""

    def defaultdict(
        self, default_factory: Optional[Type[Any]] = None, /, *args: Any, **kwargs: Any
    ) -> DefaultDict[Any, Any]:
        """A new shared defaultdict, with the arguments of `collections.defaultdict`."""

    def ordereddict(self, /, *args: Any, **kwargs: Any) -> OrderedDict[Any, Any]:
        """A new shared ordered dict, with the arguments of `collections.OrderedDict`."""

    def counter(self, iterable: Any = None, /, **kwds: int) -> Counter[Any]:
        """A new shared counter, with the arguments of `collections.Counter`."""

    def bytearray(
        self, source: Any = b"", encoding: Optional[str] = None, errors: Optional[str] = None
    ) -> ByteArray:
        """A new shared bytearray, with the arguments of `bytearray`."""

    def array(self, shape: Any, dtype: Any = None) -> Array:
        """A new shared array: of zeros for a shape (an int or a tuple), else a copy of an array-like.

        `dtype` is whatever numpy takes, `float` and the like, or `shm_py.f32` and its like; for a shape
        "float64" if it is not given. Elements that refer to objects cannot be shared.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     counts = seg.array(3, "int32")
        ...     counts[1] = 5
        ...     seg.root["counts"] = counts
        ...     list(counts), seg.array([1.5, 2.5]).tolist()
        ([0, 5, 0], [1.5, 2.5])
        """

    def turn(
        self,
        name: str = "default",
        *,
        timeout: Optional[float] = None,
        on_owner_died: str = "ignore",
    ) -> Turn:
        """The turn of this name: one process at a time, first come first served.

        `timeout` is how long `with` waits before it raises `LockTimeout`. A holder that died is
        passed over; with `on_owner_died="warn"` the next one gets an `OwnerDiedWarning`, with
        "raise" it gets `OwnerDied`.
        """

    def lock(
        self, name: str, *, timeout: Optional[float] = None, on_owner_died: str = "warn"
    ) -> Lock:
        """The lock of this name, with the methods of `threading.Lock`.

        `timeout` is how long `with` waits before it raises `LockTimeout`. If the holder died
        inside, the next one gets an `OwnerDiedWarning`, or with `on_owner_died="raise"` `OwnerDied`.
        """

    def rlock(
        self, name: str, *, timeout: Optional[float] = None, on_owner_died: str = "warn"
    ) -> RLock:
        """The reentrant lock of this name, with the methods of `threading.RLock`."""

    def rwlock(self, name: str, *, on_owner_died: str = "warn") -> RWLock:
        """The read-write lock of this name: `with lock.read():`, `with lock.write():`."""

    def semaphore(
        self,
        name: str,
        value: int = 1,
        *,
        n: Optional[int] = None,
        timeout: Optional[float] = None,
        on_owner_died: str = "warn",
    ) -> Semaphore:
        """The semaphore of this name, with the methods of `threading.Semaphore`; `n` is another word for `value`."""

    def bounded_semaphore(
        self,
        name: str,
        value: int = 1,
        *,
        n: Optional[int] = None,
        timeout: Optional[float] = None,
        on_owner_died: str = "warn",
    ) -> Semaphore:
        """As `semaphore`; giving back more than was taken is a ValueError."""

    def event(self, name: str) -> Event:
        """The event of this name, with the methods of `threading.Event`."""

    def condition(
        self,
        name: str,
        lock: Union[Lock, RLock, None] = None,
        *,
        timeout: Optional[float] = None,
        on_owner_died: str = "warn",
    ) -> Condition:
        """The condition of this name, with the methods of `threading.Condition`.

        Without `lock` it has a reentrant lock of its own; every process must give it the same one.
        """

    def barrier(
        self,
        name: str,
        parties: Optional[int] = None,
        action: Optional[Callable[[], object]] = None,
        timeout: Optional[float] = None,
        *,
        n: Optional[int] = None,
    ) -> Barrier:
        """The barrier of this name, with the methods of `threading.Barrier`; `n` is another word for `parties`."""

    def queue(self, name: str, maxsize: int = 0) -> Queue:
        """The queue of this name, made on first use to take `maxsize` objects (0 or less: any number)."""

    def topic(self, name: str, keep: int = 1024) -> Topic:
        """The topic of this name, made on first use; it keeps the last `keep` messages."""

    def transaction(self, timeout: Optional[float] = None) -> Transaction:
        """A block in which everything that this thread changes happens at once or not at all.

        An exception undoes it, `rollback` too, and so does a kill. Others who write, or read what
        was changed, wait until the block ends, so keep it short and do not wait in it. A
        transaction inside of another is a part of it that can be undone alone.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     seg.root["here"], seg.root["there"] = 100, 0
        ...     with seg.transaction():
        ...         seg.root.add("here", -30)
        ...         seg.root.add("there", 30)
        70
        30
        """

    def watch(self, target: Any, /) -> Watch:
        """Watch a shared object, or what lies at a path from the root ('a/b' or a tuple of keys).

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     seg.root["book"] = {"n": 0}
        ...     watch = seg.watch("book/n")
        ...     seg.root["book"]["n"] = 1
        ...     watch.wait(timeout=1), watch.value
        (True, 1)
        """

    def _share(self, obj: Any, /) -> Any: ...
    def _take_newest_message(self) -> Any: ...
    def _peek_message(self, newest: bool, /) -> Any: ...
    def _wait_for_message(self, timeout: Optional[float], /) -> bool: ...
    def put_message(self, obj: Any) -> None:
        """Append an object to the segment's queue of messages; built-in objects are copied in."""

    def take_message(self, timeout: Optional[float] = None) -> Any:
        """Take the oldest message, waiting for one; `NoMessages` when `timeout` has passed.

        >>> import shm_py
        >>> with shm_py.create(size="1MiB") as seg:
        ...     seg.put_message(["a", 1, (2, 3)])
        ...     seg.take_message(timeout=0)
        List(['a', 1, (2, 3)])
        """

    def take_message_async(self, timeout: Optional[float] = None) -> Awaitable[Any]:
        """`take_message` for coroutines."""

    def has_messages(self) -> bool:
        """Whether there is a message to take."""

    def check(self) -> Report:
        """The consistency report: `seg.check().sound`, and what was counted on the way."""

    def free(self, obj: Any) -> None:
        """Free one object now, whoever refers to it: every later use of it raises `Closed`.

        Its content is given back; children live on where others refer to them. `ValueError` for the
        root and for values that are no shared objects. An `Array` with living views is a `BufferError`; one
        that had any, or that other processes have, keeps its memory until the last reference to it goes.
        """

    def stats(self) -> Stats:
        """What the memory is used for, who pins, who holds which lock, what was collected and recovered.

        A look without a lock, which waits for nobody, whatever is held: while others write, neighbouring numbers may
        be of different moments. ``locks`` names each lock that is held, its holders with whether they live, and
        the processes that sleep for it:

        >>> import os, shm_py
        >>> seg = shm_py.create(size="8MiB")
        >>> with seg.lock("job"):
        ...     (lock,) = seg.stats().locks
        >>> lock.kind, lock.name, lock.holders[0].pid == os.getpid(), lock.holders[0].alive
        ('lock', 'job', True, True)
        """

    def gc(self) -> int:
        """Free objects that only each other refer to; the number of bytes that this gave back.

        If nobody else is attached, free memory, from 1 MiB in a row on, then goes back to the
        system: ``used`` and what the file takes become smaller.
        """

    def __enter__(self) -> Segment: ...
    def __exit__(
        self, _type: Any = None, _value: Any = None, _traceback: Any = None, /
    ) -> None: ...
    def __reduce__(self) -> Tuple[Any, ...]: ...

@final
class ListIterator(Iterator[_T]):
    def __iter__(self) -> ListIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class ListReverseIterator(Iterator[_T]):
    def __iter__(self) -> ListReverseIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class DequeIterator(Iterator[_T]):
    def __iter__(self) -> DequeIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class DequeReverseIterator(Iterator[_T]):
    def __iter__(self) -> DequeReverseIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class DictIterator(Iterator[_T]):
    def __iter__(self) -> DictIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class SetIterator(Iterator[_T]):
    def __iter__(self) -> SetIterator[_T]: ...
    def __next__(self) -> _T: ...
    def __length_hint__(self) -> int: ...

@final
class ByteArrayIterator(Iterator[int]):
    def __iter__(self) -> ByteArrayIterator: ...
    def __next__(self) -> int: ...
    def __length_hint__(self) -> int: ...

def segments() -> _List[SegmentInfo]:
    """What exists on this machine: one record for each segment."""

def prune() -> _List[str]:
    """Remove the segments that only dead processes hold; returns their names."""

def _unlink(name: Optional[str], path: Optional[str]) -> None: ...
def _reach(
    way: str,
    name: Optional[str],
    size: int,
    path: Optional[str],
    mode: int,
    lifetime: Optional[str],
    readonly: bool,
    timeout: Optional[float],
    allowed: Optional[dict[type, str]],
) -> Segment: ...
def _restore(
    snapshot: "Union[str, os.PathLike[str]]",
    name: str,
    path: Optional[str],
    mode: int,
    lifetime: Optional[str],
    allowed: Optional[dict[type, str]],
) -> Segment: ...
def _reattach(
    name: str, path: Optional["os.PathLike[str]"], uuid: int, readonly: bool
) -> Segment: ...
def _rebuild(place: _Place, id: int) -> Any: ...
def _close_all() -> None: ...
def _settle() -> None: ...
def _canonical(text: str, /) -> Tuple[str, int]: ...
def _schema_source(segment: Segment, language: str, /) -> str: ...
def _make_struct(segment: Segment, schema: str, values: Iterable[Any], /) -> Struct: ...
def _lock(object: Any, timeout: Optional[float], on_owner_died: str, /) -> RLock: ...
def _wait_changed(object: Any, timeout: Optional[float]) -> bool: ...
def _watch(object: Any) -> Watch: ...
