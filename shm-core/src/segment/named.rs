//! What a segment has under names: turns, locks and the like, queues, topics; each made on first use.

use super::Segment;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::layout::header;
use crate::list::List;
use crate::queue::{Queue, Topic};
use crate::sync::{Barrier, Condition, ConditionLock, Event, Lock, RLock, RwLock, Semaphore, Turn};
use crate::value::Value;

impl Segment {
    fn names(&self) -> Result<Dict> {
        self.dict_at(header::NAMES)
    }

    /// A named turn, made on first use: one at a time, first come first served.
    pub fn turn(&self, name: &str) -> Result<Turn> {
        Turn::new(&self.heap, &self.names()?, name)
    }

    /// A named lock, made on first use.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        Lock::new(&self.heap, &self.names()?, name)
    }

    /// A named lock that its holder may take again, made on first use.
    pub fn rlock(&self, name: &str) -> Result<RLock> {
        RLock::new(&self.heap, &self.names()?, name)
    }

    /// A named lock for many readers or one writer, made on first use.
    pub fn rwlock(&self, name: &str) -> Result<RwLock> {
        RwLock::new(&self.heap, &self.names()?, name)
    }

    /// A named semaphore, made on first use with so many permits.
    ///
    /// # Errors
    /// `InvalidArgument` if it exists with another number.
    pub fn semaphore(&self, name: &str, permits: u64) -> Result<Semaphore> {
        Semaphore::new(&self.heap, &self.names()?, name, permits, false)
    }

    /// As [`Segment::semaphore`], but giving back more than was taken is an error.
    pub fn bounded_semaphore(&self, name: &str, permits: u64) -> Result<Semaphore> {
        Semaphore::new(&self.heap, &self.names()?, name, permits, true)
    }

    /// A named event, made on first use.
    pub fn event(&self, name: &str) -> Result<Event> {
        Event::new(&self.heap, &self.names()?, name)
    }

    /// A named condition with a reentrant lock of its own, made on first use.
    pub fn condition(&self, name: &str) -> Result<Condition> {
        Condition::new(&self.heap, &self.names()?, name, None)
    }

    /// A named condition with this lock; every process must give it the same one.
    pub fn condition_with(&self, name: &str, lock: impl Into<ConditionLock>) -> Result<Condition> {
        Condition::new(&self.heap, &self.names()?, name, Some(lock.into()))
    }

    /// A named barrier of so many parties, made on first use.
    ///
    /// # Errors
    /// `InvalidArgument` if it exists with another number.
    pub fn barrier(&self, name: &str, parties: u64) -> Result<Barrier> {
        Barrier::new(&self.heap, &self.names()?, name, parties)
    }

    /// A list of the names, made by `make` on first use.
    fn named_list(&self, key: &str, make: impl FnOnce() -> Result<List>) -> Result<List> {
        let names = self.dict_at(header::NAMES)?;
        let found = match names.get_str(key)? {
            Some(found) => found,
            None => names.get_or_insert(key, make()?)?,
        };
        match found {
            Value::List(list) => Ok(list),
            _ => Err(self.heap.corrupt(format!("{key:?} is no list"))),
        }
    }

    /// The queue of a name, made on first use to take `maxsize` items at most (0: any number).
    ///
    /// # Errors
    /// `InvalidArgument` if it was made for another number; `maxsize` 0 takes it as it is.
    pub fn queue(&self, name: &str, maxsize: u64) -> Result<Queue> {
        // Half a word, like the length of a list.
        if maxsize > u64::from(u32::MAX) {
            let what = format!("queue {name:?} cannot take {maxsize} items: {} at most", u32::MAX);
            return Err(Error::InvalidArgument { what });
        }
        let leases =
            self.named_list(&format!("lease/{name}"), || Queue::fresh_leases(&self.heap))?;
        let items =
            self.named_list(&format!("queue/{name}"), || Queue::fresh_items(&self.heap, maxsize))?;
        let queue = Queue::over(name, items, Some(leases));
        let there = queue.maxsize()?;
        if maxsize != 0 && there != maxsize {
            let what = format!(
                "queue {name:?} takes {there} items (0: any number), not {maxsize}: use that, or another name"
            );
            return Err(Error::InvalidArgument { what });
        }
        Ok(queue)
    }

    /// The topic of a name, made on first use to keep the last `keep` messages.
    ///
    /// # Errors
    /// `InvalidArgument` if it was made to keep another number.
    pub fn topic(&self, name: &str, keep: u64) -> Result<Topic> {
        let items =
            self.named_list(&format!("topic/{name}"), || Topic::fresh_items(&self.heap, keep))?;
        let topic = Topic::over(name, items);
        let there = topic.keep()?;
        if there != keep {
            let what = format!("topic {name:?} keeps {there} messages, not {keep}");
            return Err(Error::InvalidArgument { what });
        }
        Ok(topic)
    }
}
