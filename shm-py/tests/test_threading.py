"""The interpreter's own lock tests, on the primitives of a segment; where the interpreter carries them."""

import itertools
import os

import shm_py

LONG = 30

try:
    from test import lock_tests
except ImportError:  # Some distributions leave the interpreter's tests out.
    lock_tests = None

if lock_tests is not None:
    _numbers = itertools.count()

    class _OnSegment:
        """Gives each test a segment, and each primitive in it a name."""

        def setUp(self):
            self.seg = shm_py.create(size="64MiB")
            super().setUp()

        def tearDown(self):
            super().tearDown()
            assert self.seg.check().findings == []
            self.seg.close()

        def fresh(self):
            return f"primitive {next(_numbers)}"

    class TestLock(_OnSegment, lock_tests.LockTests):
        def locktype(self):
            return self.seg.lock(self.fresh())

        def test_at_fork_reinit(self):
            # threading repairs its locks after a fork; a child here has no lock of its parent's.
            lock = self.locktype()
            lock.acquire()
            pid = os.fork()
            if pid == 0:
                os._exit(lock.acquire(False))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            lock.release()

    class TestRLock(_OnSegment, lock_tests.RLockTests):
        def locktype(self):
            return self.seg.rlock(self.fresh())

    class TestEvent(_OnSegment, lock_tests.EventTests):
        def eventtype(self):
            return self.seg.event(self.fresh())

        def test_at_fork_reinit(self):
            # threading repairs its events after a fork; a child here goes on with the same one.
            event = self.eventtype()
            pid = os.fork()
            if pid == 0:
                event.set()
                os._exit(0)
            os.waitpid(pid, 0)
            assert event.wait(LONG)

        # As older interpreters call it.
        test_reset_internal_locks = test_at_fork_reinit

    class TestCondition(_OnSegment, lock_tests.ConditionTests):
        def condtype(self, lock=None):
            if lock is not None:
                # The lock of the interpreter's test: one of ours in its place.
                lock = self.shared = self.seg.lock(self.fresh())
            return self.seg.condition(self.fresh(), lock)

        def test_acquire(self):
            reentrant = self.condtype()
            assert reentrant.acquire() and reentrant.acquire()
            reentrant.release()
            reentrant.release()
            condition = self.condtype(lock=object())
            condition.acquire()
            assert not self.shared.acquire(False)
            condition.release()
            assert self.shared.acquire(False)
            assert not condition.acquire(False)

    class TestSemaphore(_OnSegment, lock_tests.SemaphoreTests):
        def semtype(self, value=1):
            return self.seg.semaphore(self.fresh(), value)

    class TestBoundedSemaphore(_OnSegment, lock_tests.BoundedSemaphoreTests):
        def semtype(self, value=1):
            return self.seg.bounded_semaphore(self.fresh(), value)

    class TestBarrier(_OnSegment, lock_tests.BarrierTests):
        def barriertype(self, parties, action=None, timeout=None):
            return self.seg.barrier(self.fresh(), parties, action, timeout)
