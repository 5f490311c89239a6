"""Fixtures: a segment for each test, and clean-up of what a test leaves behind."""

import collections.abc
from typing import Iterator

import pytest
from hypothesis import HealthCheck, settings

import shm_py

# How long anything takes says nothing here: machines are shared.
settings.register_profile("shm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shm")


@pytest.fixture
def seg() -> Iterator[shm_py.Segment]:
    segment = shm_py.create(size="64MiB")
    yield segment
    if not segment.closed:
        assert segment.check().findings == []
        segment.close()


@pytest.fixture
def other(seg: shm_py.Segment) -> Iterator[shm_py.Segment]:
    """A second attachment to the same segment: what another process would see."""
    with shm_py.attach(seg.name) as second:
        yield second


def builtin(value: object) -> object:
    """A deep built-in copy of whatever a test got back."""
    if hasattr(value, "to_py"):
        return value.to_py()
    if isinstance(value, collections.abc.Mapping):
        return {key: builtin(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(builtin(item) for item in value)
    return value
