//! What was measured: one sample for each kill, percentiles, and a file to draw them from.

use std::fmt::Write as _;
use std::time::Duration;

/// How the victim and the moment were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// By chance.
    Anyone,
    /// Because it held the lock a moment before.
    Holder,
    /// The same, and it was stopped for a while before the kill, so that all others slept on its lock.
    Stopped,
}

/// One kill.
pub(crate) struct Sample {
    pub(crate) number: usize,
    /// What the victim was, such as "python forked".
    pub(crate) victim: &'static str,
    pub(crate) aim: Aim,
    /// Whether it had 2 GiB of resident memory.
    pub(crate) heavy: bool,
    /// Whether it died with the writer lock.
    pub(crate) holder: bool,
    /// From the kill until the others were undisturbed again.
    pub(crate) recovery: Duration,
}

pub(crate) struct Figures {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures { count, p50, p99, max } = self;
        write!(f, "{count:5}   p50 {p50:8.2?}   p99 {p99:8.2?}   max {max:8.2?}")
    }
}

fn figures(mut times: Vec<Duration>) -> Figures {
    times.sort();
    // The smallest time that so many percent of the samples do not exceed.
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    Figures { count: times.len(), p50: at(50), p99: at(99), max: at(100) }
}

/// The recovery times of the samples that are wanted.
pub(crate) fn recovery(samples: &[Sample], wanted: impl Fn(&Sample) -> bool) -> Figures {
    figures(samples.iter().filter(|sample| wanted(sample)).map(|s| s.recovery).collect())
}

type Wanted = fn(&Sample) -> bool;

pub(crate) fn summary(samples: &[Sample]) -> String {
    let mut text = String::from("kill to recovery\n");
    let rows: [(&str, Wanted); 7] = [
        ("all", |_| true),
        ("victim held the lock", |s| s.holder),
        ("  and was stopped before", |s| s.holder && s.aim == Aim::Stopped),
        ("victim did not", |s| !s.holder),
        ("victim had 2 GiB", |s| s.heavy),
        ("  and held the lock", |s| s.heavy && s.holder),
        ("Python victims", |s| s.victim.starts_with("python")),
    ];
    for (name, wanted) in rows {
        let _ = writeln!(text, "  {name:24} {}", recovery(samples, wanted));
    }
    text
}

/// The samples as comma-separated values, times in microseconds.
pub(crate) fn table(samples: &[Sample]) -> String {
    let mut text = String::from("number,victim,aim,resident_gib,lock_holder,recovery_us\n");
    for s in samples {
        let _ = writeln!(
            text,
            "{},{},{:?},{},{},{:.1}",
            s.number,
            s.victim,
            s.aim,
            if s.heavy { 2 } else { 0 },
            u8::from(s.holder),
            s.recovery.as_secs_f64() * 1e6,
        );
    }
    text
}
