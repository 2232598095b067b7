//! How many children train side by side, and the threads of each. Knows nothing of what they compute.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::child;
use crate::error::{Error, Result};

/// A guard against slips.
const MOST_WORKERS: usize = 1024;

/// How many children train at the same time, as the user says it: `auto` or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One per core on the CPU, one on a GPU.
    #[default]
    Auto,
    /// So many; 0: none but this process.
    Number(usize),
}

impl Workers {
    /// The number, on the CPU or on a GPU.
    pub fn number(self, on_cpu: bool) -> usize {
        match self {
            Self::Auto if on_cpu => cores(),
            Self::Auto => 1,
            Self::Number(number) => number,
        }
    }
}

impl FromStr for Workers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text.parse().ok();
        let number = number.filter(|number| *number <= MOST_WORKERS);
        number.map(Self::Number).ok_or_else(|| {
            let expected = format!("auto or a whole number from 0 to {MOST_WORKERS}");
            Error::invalid("workers", expected, text)
        })
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The threads that children train on. Each child in training has a pool of its own, so that no child
/// waits for another's threads, and what one computes does not depend on how many run.
pub struct Crew {
    workers: usize,
    cores: usize,
    /// Pools that are free, all of one size.
    idle: Mutex<Vec<Arc<ThreadPool>>>,
    /// How many children are in training.
    busy: Mutex<usize>,
    freed: Condvar,
}

/// A place in the crew, for as long as it lives.
pub(super) struct Turn<'a>(&'a Crew);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock() -= 1;
        self.0.freed.notify_one();
    }
}

impl Crew {
    /// A crew that trains `workers` children at the same time, on all cores.
    pub fn new(workers: usize) -> Self {
        Self::on(workers, cores())
    }

    /// The same on so many cores.
    pub fn on(workers: usize, cores: usize) -> Self {
        Self {
            workers,
            cores,
            idle: Mutex::default(),
            busy: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// How many of `children` that are asked for in one call train side by side, and the threads of each.
    ///
    /// Cores go to children first: a child has more than one thread only where fewer children than cores
    /// train, be it that the call has no more of them or that the user wants no more workers. So a
    /// single child has all cores.
    pub fn shares(&self, children: usize) -> (usize, usize) {
        let side_by_side = self.workers.min(children).max(1);
        (side_by_side, (self.cores / side_by_side).max(1))
    }

    /// Waits until fewer children than there are workers train, whichever calls they belong to.
    pub(super) fn turn(&self) -> Turn<'_> {
        let mut busy = self.busy.lock();
        self.freed
            .wait_while(&mut busy, |busy| *busy >= self.workers);
        *busy += 1;
        Turn(self)
    }

    /// A pool of so many threads.
    ///
    /// # Errors
    /// [`Error::Io`] where the system gives no threads.
    pub(super) fn pool(&self, threads: usize) -> Result<Arc<ThreadPool>> {
        let mut idle = self.idle.lock();
        idle.retain(|pool| pool.current_num_threads() == threads);
        match idle.pop() {
            Some(pool) => Ok(pool),
            None => Ok(Arc::new(pool(threads)?)),
        }
    }

    /// Takes back a pool whose work is done.
    pub(super) fn give_back(&self, pool: Arc<ThreadPool>) {
        let mut idle = self.idle.lock();
        if idle.len() < self.workers {
            idle.push(pool);
        }
    }
}

/// The stack of a main thread; that of other threads is a quarter of it.
const STACK: usize = 8 << 20;

fn pool(threads: usize) -> Result<ThreadPool> {
    let builder = ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK)
        .thread_name(|_| "child".into())
        .start_handler(|_| child::quiet_thread());
    builder
        .build()
        .map_err(|error| Error::io("start", "threads")(std::io::Error::other(error)))
}
