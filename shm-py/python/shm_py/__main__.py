"""The command `shm`, also `python -m shm_py`: what can be asked about a segment from a shell."""

import argparse
import sys
from typing import Optional, Sequence, Tuple

from . import __version__, attach, prune, restore, schema_source, segments, unlink
from ._records import LockStats
from .errors import ShmError


def _place(arguments: argparse.Namespace) -> Tuple[Optional[str], Optional[str]]:
    """The name, or else the path, of the segment: a text with a slash is a path."""
    if arguments.path is None and "/" not in arguments.name:
        return arguments.name, None
    return None, arguments.path or arguments.name


def _list(arguments: argparse.Namespace) -> None:
    for info in segments():
        print(f"{info.name}: {info.used} of {info.size} bytes, {info.live} live, {info.dead} dead")
        for peer in info.peers:
            print(f"    {peer.pid} {peer.name}{'' if peer.alive else ' (dead)'}")


def _prune(arguments: argparse.Namespace) -> None:
    for name in prune():
        print(f"removed {name}")


def _unlink(arguments: argparse.Namespace) -> None:
    name, path = _place(arguments)
    unlink(name, path=path)


def _check(arguments: argparse.Namespace) -> Optional[int]:
    name, path = _place(arguments)
    with attach(name, path=path, readonly=True) as seg:
        report = seg.check()
    for finding in report.findings:
        print(finding)
    print(f"{len(report.findings)} findings in {report.objects} objects, {report.blocks} blocks")
    return 0 if report.sound else 1


def _of_lock(lock: LockStats) -> str:
    """A line of it: what it is, who has it, who waits."""
    # A container's name is where it is, and so has quotes of its own.
    name = lock.name if lock.kind in ("container", "writer lock") else repr(lock.name)
    line = f"{lock.kind} {name}".rstrip() + ":"
    for pid, process, alive, times in lock.holders:
        line += f" held by pid {pid} ({process})" if pid else " held by a process that is gone"
        line += "" if times == 1 else f" {times} times"
        line += "," if alive else ", dead,"
    if lock.waiting:
        line += f" awaited by pid {', '.join(map(str, lock.waiting))}"
    return line.rstrip(",")


def _stats(arguments: argparse.Namespace) -> None:
    name, path = _place(arguments)
    with attach(name, path=path, readonly=True) as seg:
        stats = seg.stats()
    for field, number in stats._asdict().items():
        if not isinstance(number, list):
            print(f"{field} {'-' if number is None else number}")
    for kind in stats.kinds:
        print(f"{kind.kind}: {kind.number}, {kind.bytes} bytes")
    for pins in stats.pins:
        print(f"pid {pins.pid} ({pins.name}) holds {pins.objects} objects")
    for lock in stats.locks:
        print(_of_lock(lock))


def _schema(arguments: argparse.Namespace) -> None:
    name, path = _place(arguments)
    with attach(name, path=path, readonly=True) as seg:
        sys.stdout.write(schema_source(seg, arguments.lang))


def _snapshot(arguments: argparse.Namespace) -> None:
    name, path = _place(arguments)
    with attach(name, path=path) as seg:
        print(f"{seg.snapshot(arguments.file)} bytes in {arguments.file}")


def _restore(arguments: argparse.Namespace) -> None:
    name, path = _place(arguments)
    # Nobody else has it yet, so it stays until it is unlinked.
    with restore(arguments.file, name, path=path, lifetime="manual") as seg:
        print(f"{seg.used} bytes in segment {seg.name!r}")


def _which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "name", nargs="?", metavar="NAME", help="the segment's name, or its file if there is a / in it"
    )
    which.add_argument("--path", help="the segment's file")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shm", description="Look into shared segments.")
    parser.add_argument("--version", action="version", version=f"shm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    every = commands.add_parser("list", help="what exists here, and which processes have it")
    every.set_defaults(run=_list)
    dead = commands.add_parser("prune", help="remove the segments that only dead processes hold")
    dead.set_defaults(run=_prune)
    gone = commands.add_parser("unlink", help="remove a segment's name; who has it keeps it")
    _which(gone)
    gone.set_defaults(run=_unlink)
    sound = commands.add_parser("check", help="look at every object; status 1 if anything is wrong")
    _which(sound)
    sound.set_defaults(run=_check)
    stats = commands.add_parser("stats", help="numbers: memory, objects, deaths; who holds what, which locks too")
    _which(stats)
    stats.set_defaults(run=_stats)
    schema = commands.add_parser(
        "schema", help="print the structs that a segment holds as source code"
    )
    _which(schema)
    schema.add_argument(
        "--lang", choices=["rust", "python", "c"], default="python", help="in which language"
    )
    schema.set_defaults(run=_schema)
    snapshot = commands.add_parser("snapshot", help="write a segment to a file, as of one moment")
    _which(snapshot)
    snapshot.add_argument("file", metavar="FILE", help="where to; a former snapshot is replaced")
    snapshot.set_defaults(run=_snapshot)
    back = commands.add_parser("restore", help="make a segment of a snapshot, until it is unlinked")
    back.add_argument("file", metavar="FILE", help="the snapshot")
    _which(back)
    back.set_defaults(run=_restore)
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; its exit status: 1 with a message if the segment could not be looked at."""
    arguments = _parser().parse_args(argv)
    try:
        status: Optional[int] = arguments.run(arguments)
        return status or 0
    except (ShmError, OSError, ValueError) as error:
        print(f"shm: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
