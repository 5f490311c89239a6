//! What happens while the core sleeps: other Python threads run, and signals are looked for.

use std::cell::RefCell;

use pyo3::prelude::*;
use shm_core::Error;

thread_local! {
    /// What a signal handler raised during a sleep, until the operation has reported it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Moves a value through `Python::detach`, which runs its closure on the calling thread.
struct SameThread<T>(T);

// SAFETY: `detach` runs the closure on the thread that calls it, before it returns; the value never
// reaches another thread.
unsafe impl<T> Send for SameThread<T> {}

/// The core's hook around every sleep: gives the GIL away, then asks for signals, whose handlers may use the
/// segment: not where the core has its lock.
pub(crate) fn without_gil(sleep: &mut dyn FnMut(), calm: bool) -> shm_core::Result<()> {
    let mut sleep = SameThread(sleep);
    let woken = Python::try_attach(|py| {
        py.detach(|| {
            let sleep = &mut sleep;
            (sleep.0)();
        });
        if calm { Ok(()) } else { py.check_signals() }
    });
    match woken {
        Some(Err(error)) => {
            RAISED.with(|raised| raised.replace(Some(error)));
            Err(Error::Interrupted { what: "a lock, a turn or a message" })
        }
        Some(Ok(())) => Ok(()),
        // The interpreter is going down: there is no GIL to give away.
        None => {
            (sleep.0)();
            Ok(())
        }
    }
}

/// What a signal handler raised during the sleep that was ended by it.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.with(RefCell::take)
}
