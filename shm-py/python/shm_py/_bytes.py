"""The methods of `bytearray` that only read, for `ByteArray`: each works on a built-in copy."""

from typing import Any, Callable

from ._native import ByteArray

_READING = (
    "capitalize center count decode endswith expandtabs find hex index isalnum isalpha isascii "
    "isdigit islower isspace istitle isupper join ljust lower lstrip partition removeprefix "
    "removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith "
    "strip swapcase title translate upper zfill"
).split()


def _plain(argument: Any) -> Any:
    return argument.to_py() if isinstance(argument, ByteArray) else argument


def _reading(name: str) -> Callable[..., Any]:
    built_in = getattr(bytearray, name)

    def method(self: ByteArray, *args: Any, **kwargs: Any) -> Any:
        return built_in(self.to_py(), *map(_plain, args), **kwargs)

    method.__name__ = name
    method.__qualname__ = f"ByteArray.{name}"
    method.__doc__ = built_in.__doc__
    return method


for _name in _READING:
    setattr(ByteArray, _name, _reading(_name))


def fromhex(string: str, /) -> bytearray:
    """A built-in bytearray from hexadecimal digits."""
    return bytearray.fromhex(string)


def maketrans(frm: Any, to: Any, /) -> bytes:
    """A table for `translate`."""
    return bytearray.maketrans(_plain(frm), _plain(to))


for _function in (fromhex, maketrans):
    setattr(ByteArray, _function.__name__, staticmethod(_function))
