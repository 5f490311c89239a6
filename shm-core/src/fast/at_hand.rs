//! Stores of a binding that has the thread's session at hand: of values that live in their cells, each one store.
//!
//! Where `done` is `None`, nothing was done: ask the operation of the same name without the session, which knows
//! every case, and take the session again ([`AtHand::of_this_thread`]). Where `awaited` is set, call `wake`, done
//! or not.

use crate::cell::Cell;
use crate::dict::Dict;
use crate::list::{List, Place};
use crate::quick::{Handy, Stored};
use crate::session::AtHand;
use crate::set::Set;
use crate::value::Key;

/// Forwards to a quick operation, with the session at hand.
macro_rules! at_hand {
    ($(
        $(#[$doc:meta])*
        $name:ident($this:ident $(, $argument:ident: $type:ty)*) -> $result:ty { $operation:expr }
    )*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            #[allow(clippy::inline_always, reason = "the hot path of what a binding stores")]
            #[must_use]
            pub fn $name(&$this, hand: &AtHand $(, $argument: $type)*) -> Stored<$result> {
                Handy::with(hand, $operation)
            }
        )*

        /// Wakes those who wait for what a store at hand had, or has changed.
        #[cold]
        pub fn wake(&self) {
            self.heap().wake(self.object().at());
        }
    };
}

impl List {
    at_hand! {
        /// As [`List::set`].
        set_at_hand(self, index: usize, cell: Cell) -> () {
            |by| self.quick_set(by, Place::Front(index), cell)
        }

        /// As [`List::push`].
        push_at_hand(self, cell: Cell) -> () { |by| self.quick_push(by, cell) }

        /// As [`List::pop`], of an integer or a float.
        pop_at_hand(self) -> Cell { |by| self.quick_pop(by, false) }

        /// As [`List::add`], of integers; the sum.
        add_at_hand(self, index: usize, delta: i64) -> i64 {
            |by| self.quick_add(by, Place::Front(index), delta)
        }
    }
}

impl Dict {
    at_hand! {
        /// As [`Dict::set`].
        set_at_hand(self, key: &Key<'_>, cell: Cell) -> () {
            |by| self.quick_set(by, &key.quick(self.heap().hash_key())?, cell)
        }

        /// As [`Dict::add`], of integers; the sum.
        add_at_hand(self, key: &Key<'_>, delta: i64) -> i64 {
            |by| self.quick_add(by, &key.quick(self.heap().hash_key())?, delta)
        }
    }
}

impl Set {
    at_hand! {
        /// As [`Set::add`].
        add_at_hand(self, member: &Key<'_>) -> bool {
            |by| self.quick_add(by, &member.quick(self.heap().hash_key())?)
        }
    }
}
