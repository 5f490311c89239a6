//! Which instructions may change the segment: those that need a look at it afterwards.
//!
//! Nine of ten instructions store nothing, or onto the stack. To compare the whole file after each of
//! them takes longer than to step through them.

#![allow(unsafe_code, reason = "a look at the traced process's code")]

use std::collections::HashMap;

/// The instructions of one traced process, by address.
#[derive(Default)]
pub(crate) struct Stores {
    known: HashMap<u64, bool>,
}

impl Stores {
    /// Whether the next instruction of a stopped process may change the segment. If in doubt, it may.
    pub(crate) fn next_may_store(&mut self, pid: libc::pid_t) -> bool {
        let Some(at) = instruction_pointer(pid) else { return true };
        *self.known.entry(at).or_insert_with(|| code_at(pid, at).is_none_or(|code| stores(&code)))
    }
}

/// The longest instruction.
const LONGEST: usize = 15;

#[cfg(target_arch = "x86_64")]
fn stores(code: &[u8]) -> bool {
    use iced_x86::{
        Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, OpAccess, Register,
    };

    let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
    // The kernel may do anything; system calls count as calls here.
    let may_enter_kernel =
        matches!(instruction.flow_control(), FlowControl::Call | FlowControl::Interrupt);
    if instruction.is_invalid() || may_enter_kernel {
        return true;
    }
    InstructionInfoFactory::new().info(&instruction).used_memory().iter().any(|memory| {
        let reads = matches!(memory.access(), OpAccess::Read | OpAccess::CondRead);
        let nothing = matches!(memory.access(), OpAccess::None | OpAccess::NoMemAccess);
        !(reads || nothing || memory.base() == Register::RSP)
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn stores(_code: &[u8]) -> bool {
    true
}

#[cfg(target_arch = "x86_64")]
fn instruction_pointer(pid: libc::pid_t) -> Option<u64> {
    let at = std::mem::offset_of!(libc::user_regs_struct, rip);
    // SAFETY: plain numbers; the glibc wrapper returns the word.
    let rip = unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, pid, at, 0) };
    // An error is -1, which is no address of code.
    (rip != -1).then(|| rip.cast_unsigned())
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction_pointer(_pid: libc::pid_t) -> Option<u64> {
    None
}

/// The bytes at an address; the page behind it may be missing, then there are fewer.
fn code_at(pid: libc::pid_t, at: u64) -> Option<Vec<u8>> {
    let mut code = vec![0_u8; LONGEST];
    let to_page_end = 4096 - at as usize % 4096;
    for len in [LONGEST, to_page_end.min(LONGEST)] {
        let local = libc::iovec { iov_base: code.as_mut_ptr().cast(), iov_len: len };
        let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: len };
        // SAFETY: `local` names a live buffer of at least `len` bytes; the kernel checks `remote`.
        let read =
            unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
        if read == len as isize {
            code.truncate(len);
            return Some(code);
        }
    }
    None
}
