"""The async twins: order, cancellation, one helper thread; also under uvloop where there is one."""

import asyncio
import os
import queue
import threading
import time

import pytest

import shm_py

LOOPS = ["asyncio"]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append("uvloop")

DEADLINE = 60


@pytest.fixture(params=LOOPS)
def run(request):
    def run(coroutine):
        loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
        try:
            return loop.run_until_complete(asyncio.wait_for(coroutine, DEADLINE))
        finally:
            loop.close()

    return run


def helpers():
    return [thread for thread in threading.enumerate() if thread.name == "shm_py-aio"]


def test_a_coroutine_takes_messages_in_the_order_in_which_they_came(seg, run):
    async def main():
        task = asyncio.ensure_future(seg.take_message_async())
        await asyncio.sleep(0)
        assert not task.done()
        thread = threading.Thread(target=lambda: [seg.put_message([n]) for n in range(3)])
        thread.start()
        taken = [await task, await seg.take_message_async(), await seg.take_message_async()]
        thread.join()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(seg.take_message_async(), 0.01)
        return taken

    assert run(main()) == [[0], [1], [2]]
    assert not seg.has_messages()
    seg.put_message("left")
    assert seg.take_message(timeout=0) == "left"


def test_tasks_of_one_loop_read_together_and_write_alone(seg, run):
    book, state = seg.rwlock("book"), {"reads": 0, "most": 0, "writes": 0}

    async def read():
        async with book.read():
            state["reads"] += 1
            state["most"] = max(state["most"], state["reads"])
            assert not state["writes"]
            await asyncio.sleep(0.001)
            state["reads"] -= 1

    async def write():
        async with book.write():
            assert not state["writes"] and not state["reads"]
            state["writes"] += 1
            await asyncio.sleep(0.001)
            state["writes"] -= 1

    async def main():
        await asyncio.gather(*[(write if n % 5 == 0 else read)() for n in range(40)])
        async with book.read():
            with pytest.raises(shm_py.DeadlockError):
                await book.write().acquire_async()
        assert await book.write().acquire_async(timeout=0)
        book.write().release()

    run(main())
    assert state["most"] > 1 and not book.read().locked()


def test_a_coroutine_gets_what_a_thread_puts(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        task = asyncio.ensure_future(jobs.get_async())
        await asyncio.sleep(0)
        thread = threading.Thread(target=jobs.put, args=({"n": 1},))
        thread.start()
        result = await task
        thread.join()
        return result

    assert run(main()) == {"n": 1}


def test_a_full_queue_makes_coroutines_wait_in_line(seg, run):
    jobs = seg.queue("jobs", maxsize=1)

    async def main():
        puts = [asyncio.ensure_future(jobs.put_async(number)) for number in range(20)]
        got = [await jobs.get_async() for _ in range(20)]
        await asyncio.gather(*puts)
        return got

    assert run(main()) == list(range(20))


def test_waiting_coroutines_are_served_in_the_order_of_coming(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        order = []

        async def get(name):
            order.append((name, await jobs.get_async()))

        tasks = [asyncio.ensure_future(get(name)) for name in range(10)]
        await asyncio.sleep(0.01)
        for number in range(10):
            jobs.put(number)
        await asyncio.gather(*tasks)
        return order

    assert run(main()) == [(number, number) for number in range(10)]


def test_a_cancelled_wait_has_taken_nothing(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        tasks = [asyncio.ensure_future(jobs.get_async()) for _ in range(6)]
        await asyncio.sleep(0.01)
        for task in tasks[:3]:
            task.cancel()
        for number in range(3):
            jobs.put(number)
        # Cancelled when they may have been woken already.
        tasks[3].cancel()
        results = await asyncio.gather(*tasks[4:])
        done = await asyncio.gather(*tasks[:4], return_exceptions=True)
        taken = [item for item in done if isinstance(item, int)]
        left = [jobs.get_nowait() for _ in range(jobs.qsize())]
        return sorted(results + taken + left)

    assert run(main()) == [0, 1, 2]


def test_wait_for_gives_up_and_leaves_nothing_behind(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(jobs.get_async(), 0.01)
        jobs.put(1)
        return await jobs.get_async()

    assert run(main()) == 1


def test_closing_ends_every_wait(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        tasks = [asyncio.ensure_future(jobs.get_async()) for _ in range(5)]
        await asyncio.sleep(0.01)
        jobs.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(error) for error in run(main())] == [shm_py.QueueClosed] * 5


def test_changes_are_told_one_after_the_other(seg, run):
    seg.root["n"] = 0

    async def main():
        seen = []

        async def watch():
            async for value in seg.watch("n"):
                seen.append(value)
                if value == 5:
                    return

        task = asyncio.ensure_future(watch())
        for number in range(1, 6):
            await asyncio.sleep(0.002)
            seg.root["n"] = number
        await task
        return seen

    seen = run(main())
    assert seen == sorted(set(seen)) and seen[-1] == 5


def test_an_object_tells_of_its_change(seg, run):
    items = seg.list()

    async def main():
        task = asyncio.ensure_future(items.wait_changed_async())
        await asyncio.sleep(0)
        items.append(1)
        return await task

    assert run(main()) is True


def test_messages_of_a_topic_are_awaited(seg, run):
    topic = seg.topic("t")

    async def main():
        place = topic.subscribe()
        task = asyncio.ensure_future(place.get_async())
        await asyncio.sleep(0)
        topic.publish("x")
        topic.publish("y")
        first = await task
        async for second in place:
            return [first, second]

    assert run(main()) == ["x", "y"]


def test_a_lease_is_awaited(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        jobs.put(1)
        with await jobs.get_lease_async() as job:
            return job

    assert run(main()) == 1
    assert jobs.leased() == 0


def test_thousands_of_waits_need_one_thread(seg, run):
    queues = [seg.queue(f"q{number}") for number in range(100)]

    async def main():
        tasks = [asyncio.ensure_future(queues[n % 100].get_async()) for n in range(2000)]
        await asyncio.sleep(0.01)
        threads = len(helpers())
        for number in range(2000):
            queues[number % 100].put(number)
        results = await asyncio.gather(*tasks)
        return threads, sorted(results)

    threads, results = run(main())
    assert threads == 1
    assert results == list(range(2000))


def test_the_helper_thread_goes_when_nobody_waits(seg, run):
    jobs = seg.queue("jobs")

    async def main():
        task = asyncio.ensure_future(jobs.get_async())
        await asyncio.sleep(0)
        jobs.put(1)
        return await task

    assert run(main()) == 1
    end = time.monotonic() + DEADLINE
    while helpers():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_closing_the_segment_ends_its_waits_and_no_others(seg, run):
    mine = shm_py.create(size="4MiB")
    jobs, others = mine.queue("jobs"), seg.queue("jobs")

    async def main():
        waits = [jobs.get_async(), mine.watch("a").__anext__()]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        other = asyncio.ensure_future(others.get_async())
        await asyncio.sleep(0.01)
        mine.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        others.put(1)
        return [type(result) for result in results], await other

    assert run(main()) == ([shm_py.Closed, shm_py.Closed], 1)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_waits_with_a_thread_of_its_own(seg):
    jobs = seg.queue("jobs")

    async def get():
        task = asyncio.ensure_future(jobs.get_async())
        await asyncio.sleep(0.01)
        jobs.put("child")
        return await task

    def child():
        asyncio.events._set_running_loop(None)
        loop = asyncio.new_event_loop()
        return loop.run_until_complete(asyncio.wait_for(get(), DEADLINE)) == "child"

    async def main():
        task = asyncio.ensure_future(jobs.get_async())
        await asyncio.sleep(0.01)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if child() else 2
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        jobs.put("parent")
        return await task

    assert asyncio.run(main()) == "parent"


def test_waits_for_queues_messages_and_changes_end_with_their_timeout(seg, run):
    async def main():
        jobs, news = seg.queue("jobs", maxsize=1), seg.topic("news").subscribe()
        await jobs.put_async(1, timeout=5)
        with pytest.raises(queue.Full):
            await jobs.put_async(2, timeout=0.01)
        assert await jobs.get_async(timeout=0) == 1
        for wait in (jobs.get_async, jobs.get_lease_async, seg.take_message_async, news.get_async):
            for timeout in (0, 0.01):
                with pytest.raises(queue.Empty):
                    await wait(timeout=timeout)
        with pytest.raises(shm_py.NoMessages):
            await seg.take_message_async(0.01)
        assert await seg.root.wait_changed_async(timeout=0.01) is False
        changed = asyncio.ensure_future(seg.root.wait_changed_async(timeout=60))
        taken = asyncio.ensure_future(jobs.get_async(timeout=60))
        await asyncio.sleep(0)
        seg.root["x"] = 1
        jobs.put("late")
        assert await changed is True and await taken == "late"
        with pytest.raises(ValueError, match="not a number"):
            await jobs.get_async(timeout=float("nan"))
        # Who gave up is not in the way of who still waits.
        waits = [asyncio.ensure_future(jobs.get_async(timeout=0.02)) for _ in range(5)]
        last = asyncio.ensure_future(jobs.get_async(timeout=60))
        await asyncio.wait(waits)
        jobs.put("for the last")
        assert await last == "for the last"
        assert all(isinstance(wait.exception(), queue.Empty) for wait in waits)

    run(main())
