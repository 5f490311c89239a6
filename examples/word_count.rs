//! The Rust side of `make demo`: makes the segment, hands out the files, reports progress, and prints
//! what three Python processes counted. `examples/word_count.py` starts it.
//!
//! ```text
//! root["files"]   list   names of the files
//! root["owner"]   list   per file: 0 nobody's, a process id, or -1 done
//! root["counts"]  dict   word -> how often; file number -> which worker counted it
//! root["progress"]       struct Progress, written here and read by Python
//! ```

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions, Shared, Value};

/// How far the count is.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "word_count.Progress")]
struct Progress {
    files: u32,
    done: u32,
    share: f64,
    finished: bool,
    latest: String,
}

fn python_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if path.file_name().is_some_and(|name| name != "site-packages") {
                python_files(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: word_count SEGMENT FOLDER".into());
    };
    let mut files = Vec::new();
    python_files(Path::new(&folder), &mut files)?;
    files.sort();

    let seg = Segment::create(&name, SegmentOptions::new().size(256 << 20))?;
    let root = seg.root();
    let names = seg.list_of(files.iter().map(|path| path.to_string_lossy().into_owned()))?;
    let owner = seg.list_of(files.iter().map(|_| 0_i64))?;
    let counts = seg.dict::<Value, Value>([])?;
    let progress = seg.alloc(Progress {
        files: files.len() as u32,
        done: 0,
        share: 0.0,
        finished: false,
        latest: String::new(),
    })?;
    root.insert("files", &names)?;
    root.insert("owner", &owner)?;
    root.insert("counts", &counts)?;
    root.insert("progress", &progress)?;
    seg.put_message("ready")?;

    let mut moved = Instant::now();
    while progress.done() < progress.files() {
        std::thread::sleep(Duration::from_millis(10));
        let states: Vec<i64> = owner.iter().filter_map(|who| who.ok()?.as_int()).collect();
        let done = states.iter().filter(|who| **who == -1).count() as u32;
        if done != progress.done() {
            moved = Instant::now();
        } else if moved.elapsed() > Duration::from_mins(1) {
            return Err(format!("no progress for a minute at {done} files").into());
        }
        let latest = states.iter().rposition(|who| *who == -1);
        let latest = latest.map_or(String::new(), |index| files[index].display().to_string());
        progress.update(|p| {
            p.done = done;
            p.share = f64::from(done) / f64::from(p.files);
            p.latest.clone_from(&latest);
        })?;
    }

    let mut words = Vec::new();
    let mut shares = std::collections::BTreeMap::new();
    for (key, value) in counts.to_vec()? {
        match (key, value) {
            (Value::Str(word), Value::Int(count)) => words.push((count, word)),
            (Value::Int(_), Value::Int(worker)) => *shares.entry(worker).or_insert(0) += 1,
            other => return Err(format!("unexpected entry {other:?}").into()),
        }
    }
    words.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    progress.set_finished(true)?;
    println!("The twenty most frequent of {} words:", words.len());
    for (place, (count, word)) in words.iter().take(20).enumerate() {
        print!("{word:>12} {count:<8}{}", if place % 4 == 3 { "\n" } else { "" });
    }
    for (worker, count) in shares {
        println!("worker {worker}: {count} of {} files", files.len());
    }
    Ok(())
}
