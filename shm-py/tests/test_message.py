"""Messages that were taken: private until something is done to them that others could see."""

import copy
import gc
import multiprocessing
import os
import pickle

import pytest

import shm_py

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

MESSAGE = {
    "id": 7,
    "a longer key of text": "a longer text that takes a block",
    "price": 101.5,
    "live": True,
    "none": None,
    "raw": b"some bytes of a message",
    "tags": ["a", "b", {"deep": {1, 2}}],
    "who": {"name": "x", 5: [1.5]},
    3: "three",
    "\u00fcber": "\u20ac",
}


@pytest.fixture
def jobs(seg):
    return seg.queue("jobs")


def taken(jobs, message=MESSAGE):
    jobs.put(message)
    return jobs.get()


def objects(seg):
    return seg.check().objects


def test_reading_builds_nothing_and_changing_builds_it(seg, jobs):
    taken(jobs)
    before = objects(seg)
    job = taken(jobs)
    assert type(job) is shm_py.Dict
    for key, value in MESSAGE.items():
        if not isinstance(value, (list, dict)):
            assert job[key] == value and type(job[key]) is type(value)
            assert job.get(key) == value
        assert key in job
    assert (len(job), "x" in job, 4 in job) == (len(MESSAGE), False, False)
    assert job.to_py() == MESSAGE == copy.deepcopy(job)
    assert objects(seg) == before
    job["id"] += 1
    assert objects(seg) > before
    assert job["id"] == 8
    assert job.to_py() == {**MESSAGE, "id": 8}
    seg.check()


def test_a_copy_is_the_callers_own(jobs):
    job = taken(jobs)
    job.to_py()["who"]["name"] = "y"
    job.to_py()["tags"].clear()
    assert job.to_py() == MESSAGE


@pytest.mark.parametrize(
    "act",
    [
        lambda job: job["who"]["name"],
        lambda job: list(job),
        lambda job: dict(job.items()),
        lambda job: repr(job),
        lambda job: job == MESSAGE,
        lambda job: job | {"more": 1},
        lambda job: job.pop("id"),
        lambda job: job.get("nothing"),
        lambda job: job.setdefault("new", 1),
        lambda job: job.update(new=2),
        lambda job: job.add("id", 5),
        lambda job: job.clear(),
        lambda job: hash(frozenset(job.keys())),
        lambda job: copy.copy(job),
        lambda job: [key for key in reversed(job)],
        lambda job: job.popitem(),
    ],
)
def test_it_does_what_a_dict_does(seg, jobs, act):
    plain = seg.dict(copy.deepcopy(MESSAGE))
    job = taken(jobs)
    expected, found = act(plain), act(job)
    if isinstance(expected, shm_py.List):
        expected, found = expected.to_py(), found.to_py()
    assert found == expected
    assert job.to_py() == plain.to_py()


def test_errors_are_a_dicts(jobs):
    job = taken(jobs)
    with pytest.raises(KeyError, match="nothing"):
        job["nothing"]
    with pytest.raises(TypeError):
        hash(job)
    with pytest.raises(TypeError):
        job[[]]


def test_stored_it_is_the_one_object(seg, jobs):
    job = taken(jobs)
    seg.root["job"] = job
    assert seg.root["job"] is job
    job["id"] = 9
    assert seg.root["job"]["id"] == 9
    assert job["who"] is job["who"]
    again = taken(jobs, {"inner": job})
    assert again["inner"] is job


def test_several_at_once_keep_apart(seg, jobs):
    for number in range(20):
        jobs.put({"n": number, "list": [number]})
    held = [jobs.get() for _ in range(20)]
    for number, job in enumerate(held):
        assert job["n"] == number
        job["list"].append(-1)
        assert job["list"].to_py() == [number, -1]
    before = objects(seg)
    del held, job
    seg.gc()
    assert objects(seg) <= before - 40


def test_messages_of_the_segment_are_such_too(seg):
    before = objects(seg)
    seg.put_message(MESSAGE)
    job = seg.take_message(timeout=0)
    assert job["id"] == 7
    assert objects(seg) <= before + 1
    seg.put_message([1, {"x": 2}])
    assert seg.take_message(timeout=0).to_py() == [1, {"x": 2}]


def change(job, done):
    job["id"] = 70
    job["tags"].append("changed")
    done.put(1)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_travels_to_another_process(seg, jobs, method):
    done = seg.queue("done")
    job = taken(jobs)
    worker = multiprocessing.get_context(method).Process(target=change, args=(job, done))
    worker.start()
    done.get(timeout=60)
    worker.join()
    assert job["id"] == 70
    assert job["tags"][-1] == "changed"
    assert pickle.loads(pickle.dumps(job)) is job


def test_a_fork_shares_what_was_taken_before(jobs):
    job = taken(jobs)
    child = os.fork()
    if child == 0:
        job["id"] = 71
        os._exit(0)
    os.waitpid(child, 0)
    assert job["id"] == 71


def test_after_close_it_raises_as_everything_does(jobs, seg):
    job = taken(jobs)
    seg.close()
    for act in (lambda: job["id"], lambda: len(job), lambda: job.to_py(), lambda: job.clear()):
        with pytest.raises(shm_py.Closed):
            act()


def test_a_full_segment_gives_its_messages_away_and_they_can_be_used():
    with shm_py.create(size="4MiB") as seg:
        jobs, filler = seg.queue("jobs"), seg.list()
        for _ in range(3):
            jobs.put(MESSAGE)
            jobs.put([1, [2]])
        for size in (1 << 16, 1 << 10, 200, 64, 24):
            with pytest.raises(shm_py.SegmentFull):
                while True:
                    filler.append("x" * size)
        with pytest.raises(shm_py.SegmentFull):
            keep = []
            while True:
                keep.append(seg.list([0]))
        job, other = jobs.get(), jobs.get()
        assert job["id"] == 7
        job["id"] = 8
        job["tags"].append("more")
        assert (job["id"], job["tags"][-1]) == (8, "more")
        assert other.to_py() == [1, [2]]
        del keep
        filler.clear()
        # What is in a segment of its own is stored as a copy.
        seg.root["job"] = job.to_py()
        assert seg.root["job"]["id"] == 8
        assert jobs.get().to_py() == MESSAGE
        seg.check()


def test_a_transaction_that_is_rolled_back_has_taken_nothing(seg, jobs):
    jobs.put(MESSAGE)
    with pytest.raises(ZeroDivisionError):
        with seg.transaction():
            assert jobs.get()["id"] == 7
            1 / 0
    assert jobs.qsize() == 1
    assert jobs.get().to_py() == MESSAGE


def test_what_is_no_plain_container_is_handed_over_as_ever(seg, jobs):
    shared = seg.list([1])
    for message in ({"t": (1, [2])}, {"big": 1 << 80}, {"shared": shared}, {"x": "y" * 10_000}):
        job = taken(jobs, message)
        assert job.to_py() == {key: value if value is not shared else [1] for key, value in message.items()}
    assert job["x"] == "y" * 10_000
    many = {str(number): number for number in range(1000)}
    assert taken(jobs, many).to_py() == many
    assert taken(jobs, {"same": [many, many]})["same"][0]["7"] == 7


def test_one_message_is_kept_private_also_if_another_is_taken_amid_the_taking(seg, jobs):
    before, held, depth = objects(seg), [], [0]

    def amid(phase, info):
        if phase == "start" and depth[0] == 0 and not jobs.empty():
            depth[0] += 1
            held.append(jobs.get())
            depth[0] -= 1

    for number in range(100):
        jobs.put({"n": number, "more": {"x": [number]}})
    threshold = gc.get_threshold()
    gc.callbacks.append(amid)
    gc.set_threshold(1)
    try:
        while not jobs.empty():
            held.append(jobs.get())
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(amid)
    # All but the last one are objects of the segment: a dict, a dict in it and a list in that.
    assert objects(seg) - before >= 3 * (len(held) - 1)
    assert sorted(job["n"] for job in held) == list(range(100))
