"""Values of the standard library's types: taken apart on their way in, made again on their way out.

For the native module alone. A packer turns a value of one exact type into a code and parts, which are
values themselves (docs/format.md lists them); a maker turns the parts into the value again. Types whose
module nobody has imported cannot occur on the way in, so no module is imported for looking at one.
What is read back never imports a module but those of the standard library that its type is of, and numpy.
"""

import datetime
import enum
import sys
from typing import Any, Callable, Dict, Optional, Tuple

from .errors import UnsupportedType

__all__ = ["MAKERS", "PACKERS", "find"]

#: What packs values of a type: by that exact type.
#: `None`: of that type of the interpreter's own there are no such values.
PACKERS: Dict[type, Optional[Callable[[Any], Any]]] = {}
#: What makes a value of its parts: by code.
MAKERS: Dict[int, Callable[..., Any]] = {}

_DATE, _TIME, _DATETIME, _TIMEDELTA, _ZONE = 2, 3, 4, 5, 6
_DECIMAL, _FRACTION, _UUID, _RANGE, _SLICE, _ENUM, _NUMPY = 7, 8, 9, 10, 11, 12, 13

_HEAP_TYPE = 1 << 9
_MICROSECOND = datetime.timedelta(microseconds=1)


def unsupported(text: str, type_name: str = "") -> UnsupportedType:
    """The error of a value that is there and cannot be read in this process."""
    error = UnsupportedType(text)
    error.type_name = type_name
    return error


def find(cls: type) -> Optional[Callable[[Any], Any]]:
    """What packs values of a type that was not met before; `None`: it is no such type.

    A packer that returns a str refuses the value: the str says why, and what to do.
    """
    if isinstance(cls, enum.EnumMeta):
        from . import _enums

        # Keeps what it knows by itself.
        return _enums.packer(cls)
    packer = _find(cls)
    # A class of Python's could go away again: it is only kept if it must be.
    if packer is not None or not cls.__flags__ & _HEAP_TYPE:
        PACKERS[cls] = packer
    return packer


def _find(cls: type) -> Optional[Callable[[Any], Any]]:
    for module, name, packer in (
        ("decimal", "Decimal", _pack_decimal),
        ("fractions", "Fraction", _pack_fraction),
        ("uuid", "UUID", _pack_uuid),
        ("zoneinfo", "ZoneInfo", _pack_zone),
    ):
        if getattr(sys.modules.get(module), name, None) is cls:
            return packer
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, getattr(numpy, "generic", ())):
        from . import _scalars

        return _scalars.packer(cls)
    return None


# Dates, times and spans.


class _Refused(Exception):
    """Why a part cannot be stored."""


def _zone(zone: Any, at: Any) -> Tuple[Any, ...]:
    """The parts of a zone, and its offsets at a time that is in it."""
    if type(zone) is datetime.timezone:
        offset, name = (*zone.__getinitargs__(), None)[:2]  # type: ignore[attr-defined]
        return offset // _MICROSECOND, name
    if type(zone) is not getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None):
        raise _Refused(
            f"its tzinfo is a {type(zone)}: use datetime.timezone or zoneinfo.ZoneInfo"
        )
    if zone.key is None:
        raise _Refused("its ZoneInfo has no key: make it with ZoneInfo(key)")
    if at is None:
        return (zone.key,)
    earlier, later = (at.replace(fold=fold).utcoffset() for fold in (0, 1))
    if earlier is None or later is None:
        return (zone.key,)
    return zone.key, earlier // _MICROSECOND, later // _MICROSECOND


def _clock(at: Any) -> Tuple[Any, ...]:
    seconds = (at.hour * 60 + at.minute) * 60 + at.second
    parts = seconds * 1_000_000 + at.microsecond, bool(at.fold)
    return parts if at.tzinfo is None else parts + _zone(at.tzinfo, at)


def _pack_date(value: Any) -> Tuple[Any, ...]:
    return _DATE, value.year * 10_000 + value.month * 100 + value.day


def _pack_time(value: Any) -> Any:
    try:
        return (_TIME, *_clock(value))
    except _Refused as reason:
        return str(reason)


def _pack_datetime(value: Any) -> Any:
    try:
        day = value.year * 10_000 + value.month * 100 + value.day
        return (_DATETIME, day, *_clock(value))
    except _Refused as reason:
        return str(reason)


def _pack_timedelta(value: Any) -> Tuple[Any, ...]:
    return _TIMEDELTA, value.days, value.seconds * 1_000_000 + value.microseconds


def _pack_zone(value: Any) -> Any:
    try:
        return (_ZONE, *_zone(value, None))
    except _Refused as reason:
        return str(reason)


def _make_zone(first: Any, *rest: Any) -> Any:
    if isinstance(first, int):
        offset = datetime.timedelta(microseconds=first)
        if rest[0] is None:
            return datetime.timezone(offset)
        return datetime.timezone(offset, rest[0])
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(first)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise unsupported(
            f"the time zone {first!r} is not known here: install tzdata, or the system's zones",
            "zoneinfo.ZoneInfo",
        ) from error


def _split(micros: int) -> Tuple[int, int, int, int]:
    seconds, micros = divmod(micros, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    return (*divmod(minutes, 60), seconds, micros)


def _make_date(day: int) -> Any:
    return datetime.date(day // 10_000, day // 100 % 100, day % 100)


def _make_time(micros: int, fold: bool, *zone: Any) -> Any:
    tzinfo = _make_zone(*zone) if zone else None
    return datetime.time(*_split(micros), tzinfo, fold=fold)


def _make_datetime(day: int, micros: int, fold: bool, *zone: Any) -> Any:
    tzinfo = _make_zone(*zone) if zone else None
    return datetime.datetime(
        day // 10_000, day // 100 % 100, day % 100, *_split(micros), tzinfo, fold=fold
    )


def _make_timedelta(days: int, micros: int) -> Any:
    return datetime.timedelta(days, *divmod(micros, 1_000_000))


# Numbers.


def _pack_decimal(value: Any) -> Tuple[Any, ...]:
    return _DECIMAL, str(value)


def _make_decimal(text: str) -> Any:
    import decimal

    return decimal.Decimal(text)


def _pack_fraction(value: Any) -> Tuple[Any, ...]:
    return _FRACTION, int(value.numerator), int(value.denominator)


def _make_fraction(numerator: int, denominator: int) -> Any:
    import fractions

    return fractions.Fraction(numerator, denominator)


# Others of the standard library.


def _pack_uuid(value: Any) -> Tuple[Any, ...]:
    return _UUID, value.bytes, {0: True, -1: False}.get(value.is_safe.value)


def _make_uuid(content: bytes, safe: Optional[bool]) -> Any:
    import uuid

    if safe is None:
        return uuid.UUID(bytes=content)
    is_safe = uuid.SafeUUID.safe if safe else uuid.SafeUUID.unsafe
    return uuid.UUID(bytes=content, is_safe=is_safe)


def _pack_range(value: Any) -> Tuple[Any, ...]:
    return _RANGE, int(value.start), int(value.stop), int(value.step)


def _pack_slice(value: Any) -> Tuple[Any, ...]:
    return _SLICE, value.start, value.stop, value.step


def _make_enum(*parts: Any) -> Any:
    from . import _enums

    MAKERS[_ENUM] = _enums.make
    return _enums.make(*parts)


def _make_scalar(*parts: Any) -> Any:
    from . import _scalars

    MAKERS[_NUMPY] = _scalars.make
    return _scalars.make(*parts)


PACKERS.update(
    {
        datetime.date: _pack_date,
        datetime.time: _pack_time,
        datetime.datetime: _pack_datetime,
        datetime.timedelta: _pack_timedelta,
        datetime.timezone: _pack_zone,
        range: _pack_range,
        slice: _pack_slice,
    }
)
MAKERS.update(
    {
        _DATE: _make_date,
        _TIME: _make_time,
        _DATETIME: _make_datetime,
        _TIMEDELTA: _make_timedelta,
        _ZONE: _make_zone,
        _DECIMAL: _make_decimal,
        _FRACTION: _make_fraction,
        _UUID: _make_uuid,
        _RANGE: range,
        _SLICE: slice,
        _ENUM: _make_enum,
        _NUMPY: _make_scalar,
    }
)
