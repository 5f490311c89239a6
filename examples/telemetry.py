"""A telemetry feed: Rust writes (`telemetry.rs`), this program draws what it sees while it runs.

No schema is declared here: the segment says what a pump is. Build the writer first, with
`cargo build --release --example telemetry`.
"""

import pathlib
import subprocess
import sys
import time

import shm_py

WRITER = pathlib.Path(__file__).parent.parent / "target/release/examples/telemetry"
BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 60


def chart(samples):
    """One line of bars: each is the mean of a part of the samples."""
    part = max(1, len(samples) // WIDTH)
    means = [sum(samples[at : at + part]) / part for at in range(0, len(samples) - part + 1, part)]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / ((high - low) or 1)
    return "".join(BARS[round((mean - low) * scale)] for mean in means)


def main():
    with shm_py.create(size="64MiB") as seg:
        writer = subprocess.Popen([WRITER, seg.name], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        shown = 0
        while time.monotonic() < deadline:
            pump = seg.root.get("pump")
            if pump is None:
                time.sleep(0.001)
                continue
            state, samples = pump.state, pump.temperatures.to_py()
            if len(samples) >= shown + 100 or state.tag == "Stopped":
                shown = len(samples)
                print(f"{state.tag:8} {shown:4} {chart(samples) if samples else ''}")
            if state.tag == "Stopped":
                break
        assert writer.wait(10) == 0 and shown == 600 == pump.steps
        print(f"pump {pump.id} stopped: {pump.state[1]}")
        print(shm_py.schema_source(seg, "rust"))


if __name__ == "__main__":
    if not WRITER.exists():
        sys.exit(f"{WRITER} is not built: cargo build --release --example telemetry")
    main()
