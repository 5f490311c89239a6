//! Workers: processes of a test's own binary, started for one of its tests, which sees by a variable that it is one.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::{Child, Command, Stdio};

/// A worker process, killed at the end of the scope if it still runs.
pub(crate) struct Worker(pub(crate) Child);

impl Worker {
    /// Starts a test of this binary as a worker, with variables; what it reads, and what it says.
    pub(crate) fn start(
        test: &str,
        variables: &[(&str, &str)],
        input: Stdio,
        output: Stdio,
    ) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .envs(variables.iter().copied())
            .stdin(input)
            .stdout(output)
            .spawn()
            .unwrap();
        Worker(child)
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
