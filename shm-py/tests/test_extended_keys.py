"""Keys of mixed types are found exactly where a built-in set finds them, whatever the values are."""

import datetime
import math
import zoneinfo
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shm_py


@pytest.fixture(scope="module")
def members():
    with shm_py.create(size="8MiB") as seg:
        yield seg.set()
        assert seg.check().findings == []


@pytest.fixture(scope="module")
def items():
    with shm_py.create(size="8MiB") as seg:
        yield seg.list()
        assert seg.check().findings == []


def forms(number):
    """Values of all types that may be equal to a ratio, or nearly so."""
    yield number
    yield number.numerator
    if abs(number) < 10**300:
        yield float(number)
        yield complex(float(number), 0)
        yield np.float64(float(number))
        yield np.complex128(float(number))
        yield Fraction(float(number))
        yield Decimal(float(number))
    if abs(number) < 10**4:
        yield np.float16(float(number))
        yield np.int64(int(number))
        yield np.float32(float(number))
        yield np.bool_(bool(number))
    yield Decimal(number.numerator) / Decimal(number.denominator)
    yield Decimal(number.numerator).scaleb(-3)
    yield Fraction(number.numerator, 1000)
    yield number.numerator / 1000 if abs(number.numerator) < 10**300 else 0
    yield bool(number)


RATIOS = st.one_of(
    st.integers(-20, 20).map(Fraction),
    st.fractions(-10, 10, max_denominator=64),
    st.integers().map(Fraction),
    st.integers(-(2**80), 2**80).map(lambda number: Fraction(number, 10**9)),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(Fraction),
)
NUMBERS = RATIOS.flatmap(lambda number: st.sampled_from(list(forms(number))))
PAIRS = RATIOS.flatmap(
    lambda number: st.tuples(*[st.sampled_from(list(forms(number)))] * 2)
) | st.tuples(NUMBERS, NUMBERS)


def plain(value):
    """The number that a numpy scalar is: numpy cannot compare its own with a Decimal."""
    return value.item() if isinstance(value, np.generic) else value


def agree(members, one, two):
    expected = {plain(one)}
    members.clear()
    members.add(one)
    assert one in members
    assert (two in members) == (plain(two) in expected), (one, two)
    members.add(two)
    expected.add(plain(two))
    assert len(members) == len(expected), (one, two)
    assert {plain(member) for member in members} == expected
    members.discard(two)
    expected.discard(plain(two))
    assert len(members) == len(expected)


@given(PAIRS)
@settings(max_examples=600)
def test_numbers_of_all_types_are_found_as_in_a_set(members, pair):
    agree(members, *pair)


@given(PAIRS)
@settings(max_examples=200)
def test_plain_numbers_are_found_in_a_list_by_what_they_equal(items, pair):
    one, two = pair[0], plain(pair[1])
    if isinstance(two, complex):
        two = two.real
    if isinstance(two, (Decimal, Fraction)) or (isinstance(two, int) and two.bit_length() > 60):
        # Compared in Python, where numpy refuses some of them.
        two = 1.5
    items[:] = ["first", one, [one]]
    assert items.count(two) == (plain(one) == two)
    assert (two in items) == (plain(one) == two)
    if plain(one) == two:
        assert items.index(two) == 1
        items.remove(two)
        assert len(items) == 2


@given(st.decimals(), st.decimals() | NUMBERS)
@settings(max_examples=200)
def test_decimals_of_any_exponent_are_found_as_in_a_set(members, one, two):
    if one.is_snan() or getattr(two, "is_snan", bool)():
        return
    # A NaN is found by identity in a set, and here by what it says.
    if one.is_nan() or (isinstance(two, Decimal) and two.is_nan()):
        members.clear()
        members.add(one)
        assert one in members
        return
    agree(members, one, two)


@given(st.integers(-20, 20), st.integers(4090, 4110), st.sampled_from([Decimal, Fraction, int]))
def test_the_limit_of_long_decimals_is_where_the_documentation_says(members, digits, places, kind):
    """A decimal of more than 4096 digits, written out, equals decimals only."""
    if digits == 0:
        return
    members.clear()
    number = Decimal(f"{digits}E+{places}")
    members.add(number)
    other = kind(digits * 10**places)
    if kind is Decimal:
        other = Decimal(digits * 10).scaleb(places - 1)
    stripped = Decimal(digits).normalize()
    length = len(stripped.as_tuple().digits) + places + stripped.as_tuple().exponent
    assert (other in members) == (kind is Decimal or length <= 4096)


ZONES = st.none() | st.timezones() | st.integers(-1439, 1439).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
MOMENTS = st.datetimes(
    datetime.datetime(1950, 1, 2), datetime.datetime(2100, 1, 1), timezones=ZONES
)


@given(MOMENTS, ZONES, st.integers(0, 1), st.integers(-2, 2).map(lambda half: 30 * half))
@settings(max_examples=400)
def test_moments_of_all_zones_are_found_as_in_a_set(members, moment, zone, fold, minutes):
    other = moment + datetime.timedelta(minutes=minutes)
    if zone is not None and moment.tzinfo is not None:
        other = moment.astimezone(zone)
    folded = moment.replace(fold=fold)
    for one, two in ((moment, other), (folded, other), (other, folded)):
        agree(members, one, two)
        agree(members, one.timetz(), two.timetz())
        agree(members, one.date(), two)


def test_the_two_readings_of_an_hour_are_found_as_in_a_set(members):
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    utc = datetime.timezone.utc
    start = datetime.datetime(2026, 10, 24, 22, tzinfo=utc)
    instants = [start + datetime.timedelta(minutes=30 * step) for step in range(16)]
    spring = [instant - datetime.timedelta(days=210) for instant in instants]
    for instant in instants + spring:
        local = instant.astimezone(zone)
        for one in (local, local.replace(fold=1 - local.fold), instant):
            for two in (local, local.replace(fold=1 - local.fold), instant):
                agree(members, one, two)


@given(
    st.integers(-(2**40), 2**40),
    st.sampled_from("YMWDhms"),
    st.sampled_from(["ms", "us", "s", "m", "D", "M"]),
)
def test_moments_of_numpy_are_found_by_other_units(members, number, unit, other):
    small = number % 5000
    moment = np.datetime64(small, unit)
    members.clear()
    members.add(moment)
    assert moment.astype(f"M8[{other}]") in members or moment.astype(f"M8[{other}]") != moment
    span = np.timedelta64(small, "h" if unit in "YM" else unit)
    members.add(span)
    assert span.astype("m8[ms]") in members and span + np.timedelta64(1, "ms") not in members
    assert (np.datetime64(small + 1, unit) in members) is False


def test_floats_of_little_width_are_what_they_are_exactly(members):
    members.clear()
    members.add(np.float32(0.1))
    assert 0.1 not in members and float(np.float32(0.1)) in members
    assert math.nan not in members
