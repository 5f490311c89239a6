//! Measuring two ways of doing the same thing as a ratio within one run.
//!
//! Absolute times drift by up to two on shared machines, so both sides run in turn, round by round,
//! and what counts is the median of the rounds' ratios.

use cpu_time::ThreadTime;

const ROUNDS: usize = 21;
const ROUND_NS: f64 = 4e6;

/// What one comparison came to.
pub struct Row {
    name: &'static str,
    peer: &'static str,
    ours_ns: f64,
    peer_ns: f64,
    ratio: f64,
}

/// Measures `ours` against `theirs`; each runs the number of operations that it is given.
pub fn compare(
    name: &'static str,
    peer: &'static str,
    mut ours: impl FnMut(usize),
    mut theirs: impl FnMut(usize),
) -> Row {
    let (ours_count, theirs_count) = (calibrate(&mut ours), calibrate(&mut theirs));
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(time(&mut ours, ours_count));
        b.push(time(&mut theirs, theirs_count));
        ratios.push(a[a.len() - 1] / b[b.len() - 1]);
    }
    Row { name, peer, ours_ns: median(a), peer_ns: median(b), ratio: median(ratios) }
}

fn calibrate(run: &mut impl FnMut(usize)) -> usize {
    let mut count = 1000;
    loop {
        let total = time(run, count) * count as f64;
        if total >= ROUND_NS / 4.0 {
            return ((count as f64 * ROUND_NS / total) as usize).max(1);
        }
        count *= 4;
    }
}

fn time(run: &mut impl FnMut(usize), count: usize) -> f64 {
    let started = ThreadTime::now();
    run(count);
    started.elapsed().as_nanos() as f64 / count as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the rows as a table.
pub fn print(rows: &[Row]) {
    println!("| operation | shm, ns | peer | peer, ns | ratio |");
    println!("|---|---|---|---|---|");
    for row in rows {
        let Row { name, peer, ours_ns, peer_ns, ratio } = row;
        println!("| {name} | {ours_ns:.1} | {peer} | {peer_ns:.1} | {ratio:.1}x |");
    }
}
