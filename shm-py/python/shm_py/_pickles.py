"""Instances of the classes that a segment was opened for, as pickles.

A pickle is only made of, and read into, the classes of `allow_pickle`: whatever else it names is refused,
on the way in and on the way out, so nobody who can write to the segment chooses what is called here.
"""

import io
import pickle
from typing import Any, Dict, Iterable, Optional

from ._enums import class_of, key_of
from ._values import unsupported

_PICKLED = 14


def allowed(classes: Iterable[Any]) -> Optional[Dict[type, str]]:
    """The classes of `allow_pickle` by the names under which they are stored."""
    if isinstance(classes, (str, bytes, type)):
        raise TypeError("allow_pickle is a set of classes, as in allow_pickle={Point}")
    found = {}
    for cls in classes:
        if not isinstance(cls, type):
            raise TypeError(f"allow_pickle holds classes, not {cls!r}")
        key = key_of(cls)
        if class_of(key) is not cls:
            raise ValueError(
                f"allow_pickle: {cls!r} is not found as {cls.__qualname__!r} in module "
                f"{cls.__module__!r}: define it at the top level of a module"
            )
        found[cls] = key
    return found or None


class _Refused(Exception):
    """What a pickle would name besides."""


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, classes: Dict[type, str]) -> None:
        super().__init__(file, 5)
        self._classes = classes

    def reducer_override(self, value: Any) -> Any:
        cls = value if isinstance(value, type) else type(value)
        if cls not in self._classes:
            raise _Refused(repr(cls))
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, classes: Dict[str, type]) -> None:
        super().__init__(file)
        self._classes = classes

    def find_class(self, module: str, name: str) -> Any:
        module = "__main__" if module == "__mp_main__" else module
        try:
            return self._classes[f"{module}:{name}"]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None


def pack(value: Any, classes: Dict[type, str]) -> Any:
    """The parts of a pickled instance, or why there is none."""
    file = io.BytesIO()
    try:
        _Pickler(file, classes).dump(value)
    except _Refused as refused:
        return f"its pickle needs {refused}, which allow_pickle does not name"
    return _PICKLED, classes[type(value)], file.getvalue()


def make(classes: Optional[Dict[type, str]], key: str, data: bytes) -> Any:
    """The instance."""
    known = {name: cls for cls, name in (classes or {}).items()}
    name = key.replace(":", ".")
    if key not in known:
        raise unsupported(
            f"this is a pickled {name}: open the segment with allow_pickle={{{name}}} to read it",
            key,
        )
    try:
        made = _Unpickler(io.BytesIO(data), known).load()
    except _Refused as refused:
        raise unsupported(
            f"the pickle of this {name} needs {refused}, which allow_pickle does not name", key
        ) from None
    if type(made) is not known[key]:
        raise unsupported(f"the pickle of this {name} holds a {type(made)}", key)
    return made

