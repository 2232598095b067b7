//! Counts what a script uses between two pieces of the host's work, and says when it is too much. Knows the clock
//! and the process's memory, not what the host does.
//!
//! Operations are counted on the thread that runs the script. A watch, a thread of its own, keeps the time and looks
//! at the memory, so that an operation costs no system call.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rhai::Dynamic;

use super::Limits;
use crate::error::{Error, Result};

/// How often the watch looks.
const LOOK: Duration = Duration::from_millis(5);
/// A call that keeps the host busy for so long is work, whatever it does.
const BUSY: Duration = Duration::from_millis(100);
/// How many times the memory may be the script's while the host works beside it.
const BESIDE_WORK: u64 = 16;

/// What was found to be too much at the last look.
mod beyond {
    pub const NOTHING: u8 = 0;
    pub const MEMORY: u8 = 1;
    pub const HOURS: u8 = 2;
}

thread_local! {
    static SPENT: Spent = const {
        Spent {
            running: Cell::new(false),
            count: Cell::new(Count { operations: 0, printed: 0, since: 0 }),
        }
    };
}

struct Spent {
    /// Whether this thread runs a script.
    running: Cell<bool>,
    count: Cell<Count>,
}

/// What a thread has used since the host last worked for it.
#[derive(Clone, Copy)]
pub(super) struct Count {
    operations: u64,
    printed: u64,
    /// When the host last worked, in microseconds of the meter's clock.
    since: u64,
}

/// The meter of one session, which all its scripts and threads share. A cheap handle.
#[derive(Clone)]
pub(super) struct Meter(Arc<State>);

struct State {
    limits: Limits,
    interrupted: Arc<AtomicBool>,
    made: Instant,
    /// Microseconds since it was made, as of the last look.
    clock: AtomicU64,
    beyond: AtomicU8,
    memory: Mutex<Memory>,
    /// Bytes of pixels that the data sets so far had.
    data: AtomicU64,
    /// Bytes written so far.
    written: AtomicU64,
    /// Children trained so far.
    children: AtomicU64,
}

/// Whose the process's memory is. The floor is what is not the script's: it rises by what the host's work adds, and
/// sinks with the memory.
#[derive(Default)]
struct Memory {
    floor: Option<u64>,
    working: usize,
    /// The memory when the work began.
    before: u64,
}

impl Memory {
    /// Whether the script has more than `most` of the memory, of which `resident` is in use.
    fn beyond(&mut self, resident: u64, most: u64) -> bool {
        let floor = self.floor.map_or(resident, |floor| floor.min(resident));
        self.floor = Some(floor);
        let beside = if self.working > 0 { BESIDE_WORK } else { 1 };
        resident - floor > most.saturating_mul(beside)
    }
}

impl Meter {
    pub fn new(limits: Limits, interrupted: Arc<AtomicBool>) -> Self {
        Self(Arc::new(State {
            limits,
            interrupted,
            made: Instant::now(),
            clock: AtomicU64::new(0),
            beyond: AtomicU8::new(beyond::NOTHING),
            memory: Mutex::default(),
            data: AtomicU64::new(0),
            written: AtomicU64::new(0),
            children: AtomicU64::new(0),
        }))
    }

    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Called at each operation; something ends the script: nothing in it for an interrupt, else the reason.
    pub fn check(&self) -> Option<Dynamic> {
        let state = &*self.0;
        if state.interrupted.load(Ordering::Relaxed) {
            return Some(Dynamic::UNIT);
        }
        SPENT.with(|spent| {
            let mut count = spent.count.get();
            count.operations += 1;
            spent.count.set(count);
            if !spent.running.get() {
                return None;
            }
            state.reason(count).map(Into::into)
        })
    }

    /// Notes that so many bytes are to be printed; `false`: they are too many.
    pub fn prints(&self, bytes: usize) -> bool {
        SPENT.with(|spent| {
            let mut count = spent.count.get();
            count.printed = count.printed.saturating_add(bytes as u64);
            spent.count.set(count);
            !spent.running.get()
                || self
                    .0
                    .limits
                    .printed
                    .is_none_or(|most| count.printed <= most)
        })
    }

    /// Starts to run a script on this thread, until the result is dropped.
    ///
    /// # Errors
    /// [`Error::Io`] where the system starts no thread to watch it.
    pub fn run(&self) -> Result<Running> {
        let resident = resident().unwrap_or(0);
        {
            let mut memory = self.0.memory.lock();
            // What an earlier line of a session holds is still the script's, but each line may have a quarter.
            let most = self.0.limits.memory.unwrap_or(u64::MAX);
            let least = resident.saturating_sub(most - most / 4);
            memory.floor = Some(memory.floor.map_or(resident, |floor| floor.max(least)));
        }
        self.0.look();
        let stop = Arc::new(AtomicBool::new(false));
        let (state, stopped) = (self.0.clone(), stop.clone());
        let watch = thread::Builder::new().name("watch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::park_timeout(LOOK);
                state.look();
            }
        });
        let watch = watch.map_err(Error::io("start", "a watch over the script"))?;
        let entered = self.enter(Count {
            operations: 0,
            printed: 0,
            since: self.0.now(),
        });
        Ok(Running {
            stop,
            watch: Some(watch),
            _entered: entered,
        })
    }

    /// What this thread has used.
    pub fn count() -> Count {
        SPENT.with(|spent| spent.count.get())
    }

    /// Runs the script on this thread too, which has used `count`, until the result is dropped.
    pub fn enter(&self, count: Count) -> Entered {
        SPENT.with(|spent| {
            spent.count.set(count);
            Entered {
                before: spent.running.replace(true),
            }
        })
    }

    /// Takes over what threads used that `began` with what this one had used: nothing, if the host worked for one.
    pub fn join(began: Count, threads: &[Count]) {
        let since = threads.iter().map(|count| count.since).max();
        let count = match since.filter(|since| *since > began.since) {
            Some(since) => Count {
                operations: 0,
                printed: 0,
                since,
            },
            None => threads.iter().fold(began, |sum, count| Count {
                operations: sum.operations + (count.operations - began.operations),
                printed: sum.printed + (count.printed - began.printed),
                since: sum.since,
            }),
        };
        SPENT.with(|spent| spent.count.set(count));
    }

    /// Begins a call that may be work of the host, until the result is dropped.
    pub fn work(&self) -> Work {
        Work {
            busy: self.busy(),
            began: Instant::now(),
            renews: Cell::new(false),
        }
    }

    /// The host works beside the script from now on, until the result is dropped.
    pub fn busy(&self) -> Busy {
        let mut memory = self.0.memory.lock();
        if memory.working == 0 {
            memory.before = resident().unwrap_or(0);
        }
        memory.working += 1;
        drop(memory);
        Busy(self.clone())
    }

    /// Begins a call that may take long, and whose memory is the script's.
    pub fn timed(&self) -> Timed {
        Timed(self.clone(), Instant::now())
    }

    /// Notes `bytes` that the host keeps of what the script made.
    pub fn keeps(&self, bytes: u64) {
        let mut memory = self.0.memory.lock();
        memory.floor = memory.floor.map(|floor| floor.saturating_add(bytes));
    }

    /// Begins to open a data set. Its memory is not counted as the script's, until all have had `data_size`.
    pub fn opens(&self) -> Opening {
        let all = self.0.data.load(Ordering::Relaxed);
        let counted = self.0.limits.data_size.is_some_and(|most| all >= most);
        Opening {
            _busy: (!counted).then(|| self.busy()),
            timed: self.timed(),
        }
    }

    /// Notes that a child was trained.
    pub fn trains(&self) {
        self.0.children.fetch_add(1, Ordering::Relaxed);
    }

    /// Checks that `more` trials may follow `trials`, and that another child may be trained.
    ///
    /// # Errors
    /// [`Error::Limit`] where they may not.
    pub fn asks(&self, trials: usize, more: usize) -> Result<()> {
        let limits = &self.0.limits;
        let all = (trials + more) as u64;
        super::limits::within("trials", "trials", limits.trials, all)?;
        let children = self.0.children.load(Ordering::Relaxed) + 1;
        super::limits::within("trained children", "children", limits.children, children)
    }

    /// Notes `bytes` that were written.
    ///
    /// # Errors
    /// [`Error::Limit`] where they are too many, all together.
    pub fn writes(&self, bytes: u64) -> Result<()> {
        let all = self.0.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        super::limits::within("bytes written", "written", self.0.limits.written, all)
    }
}

impl State {
    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Looks at the clock and at the memory.
    fn look(&self) {
        let now = self.now();
        self.clock.store(now, Ordering::Relaxed);
        let hours = self.limits.hours;
        let mut found = beyond::NOTHING;
        if hours.is_some_and(|hours| now as f64 > hours * 3.6e9) {
            found = beyond::HOURS;
        } else if let (Some(most), Some(resident)) = (self.limits.memory, resident())
            && self.memory.lock().beyond(resident, most)
        {
            found = beyond::MEMORY;
        }
        self.beyond.store(found, Ordering::Relaxed);
    }

    /// Why a thread that used `count` is to end.
    fn reason(&self, count: Count) -> Option<String> {
        let limits = &self.limits;
        let clock = self.clock.load(Ordering::Relaxed);
        let late = |seconds: f64| clock.saturating_sub(count.since) as f64 > seconds * 1e6;
        let beyond = self.beyond.load(Ordering::Relaxed);
        let reached = if limits.operations.is_some_and(|n| count.operations > n) {
            let most = limits.operations.unwrap_or_default();
            format!("'operations': more than {most} operations {WITHOUT}")
        } else if limits.seconds.is_some_and(late) {
            let most = limits.seconds.unwrap_or_default();
            format!("'seconds': more than {most} seconds {WITHOUT}")
        } else if limits.printed.is_some_and(|n| count.printed > n) {
            let most = limits.printed.unwrap_or_default();
            format!("'printed': more than {most} bytes {WITHOUT}")
        } else if beyond == beyond::MEMORY {
            let most = limits.memory.unwrap_or_default();
            format!("'memory': the script's values take more than {most} bytes")
        } else if beyond == beyond::HOURS {
            let most = limits.hours.unwrap_or_default();
            format!("'hours': the session has taken {most} hours")
        } else {
            return None;
        };
        Some(format!("limit {reached}; --limits FILE sets another"))
    }
}

const WITHOUT: &str = "without work of the host, such as a training, a lookup or an update";

/// A script that runs; dropped when it ends.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
    _entered: Entered,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            watch.thread().unpark();
            // It cannot panic, and if it did the script has ended all the same.
            let _ = watch.join();
        }
    }
}

/// A thread that runs a script; dropped when it does no more.
pub(super) struct Entered {
    before: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        SPENT.with(|spent| spent.running.set(self.before));
    }
}

/// The host works; what it adds to the memory is not the script's.
pub(super) struct Busy(Meter);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut memory = self.0.0.memory.lock();
        memory.working -= 1;
        if memory.working == 0 {
            let grown = resident().unwrap_or(0).saturating_sub(memory.before);
            memory.floor = memory.floor.map(|floor| floor.saturating_add(grown));
        }
    }
}

/// A call that is work of the host if it says so, or if it takes long: the script's counts then begin anew.
pub(super) struct Work {
    busy: Busy,
    began: Instant,
    renews: Cell<bool>,
}

impl Work {
    /// Says that it is work.
    pub fn renews(&self) {
        self.renews.set(true);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.renews.get() || self.began.elapsed() >= BUSY {
            renew(&self.busy.0);
        }
    }
}

/// A data set that is being opened.
pub(super) struct Opening {
    _busy: Option<Busy>,
    timed: Timed,
}

impl Opening {
    /// Notes that it has `bytes` of pixels.
    ///
    /// # Errors
    /// [`Error::Limit`] where that is more than all may have.
    pub fn opened(self, bytes: u64) -> Result<()> {
        let state = &self.timed.0.0;
        state.data.fetch_add(bytes, Ordering::Relaxed);
        super::limits::within(
            "bytes of pixels",
            "data_size",
            state.limits.data_size,
            bytes,
        )
    }
}

/// A call that is work of the host if it takes long.
pub(super) struct Timed(Meter, Instant);

impl Drop for Timed {
    fn drop(&mut self) {
        if self.1.elapsed() >= BUSY {
            renew(&self.0);
        }
    }
}

fn renew(meter: &Meter) {
    let since = meter.0.now();
    let (operations, printed) = (0, 0);
    SPENT.with(|spent| {
        spent.count.set(Count {
            operations,
            printed,
            since,
        });
    });
}

/// The bytes of memory that the process has in use; `None` where the system does not say.
fn resident() -> Option<u64> {
    static PAGE: LazyLock<Option<u64>> = LazyLock::new(page_size);
    Some(pages(1)? * (*PAGE)?)
}

/// A number of `/proc/self/statm`, in pages.
fn pages(place: usize) -> Option<u64> {
    let all = std::fs::read_to_string("/proc/self/statm").ok()?;
    all.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// The bytes of a page: what the system says in kibibytes by what it says in pages.
fn page_size() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let kibibytes: u64 = size.trim().trim_end_matches(" kB").parse().ok()?;
    // Memory may have grown in between.
    let about = (kibibytes * 1024) as f64 / pages(0)?.max(1) as f64;
    Some(1 << about.log2().round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(limits: Limits) -> Meter {
        Meter::new(limits, Arc::default())
    }

    /// The reason that `operations` operations end a script for, if they do.
    fn after(meter: &Meter, operations: usize) -> Option<String> {
        let reasons = (0..operations).find_map(|_| meter.check());
        reasons.map(|reason| reason.to_string())
    }

    #[test]
    fn operations_are_counted_from_the_last_work() {
        let meter = meter(Limits {
            operations: Some(100),
            ..Limits::default()
        });
        let running = meter.run().unwrap();
        assert_eq!(after(&meter, 90), None);
        let began = Instant::now();
        drop(meter.work());
        // Unless the machine had no time for it.
        let cheap = began.elapsed() < BUSY;
        assert!(
            after(&meter, 11).is_some() || !cheap,
            "a cheap call renews nothing"
        );
        meter.work().renews();
        assert_eq!(after(&meter, 100), None);
        let reason = after(&meter, 1).unwrap();
        assert!(reason.contains("more than 100 operations"), "{reason}");
        drop(running);
        assert_eq!(after(&meter, 1000), None, "no script runs any more");
    }

    #[test]
    fn threads_hand_on_what_they_used() {
        let meter = meter(Limits {
            operations: Some(100),
            ..Limits::default()
        });
        let _running = meter.run().unwrap();
        let use_up = |work: bool| {
            let began = Meter::count();
            let used = thread::scope(|scope| {
                let inside = scope.spawn(|| {
                    let _entered = meter.enter(began);
                    assert_eq!(after(&meter, 60), None);
                    if work {
                        thread::sleep(Duration::from_millis(1));
                        meter.work().renews();
                    }
                    Meter::count()
                });
                inside.join().unwrap()
            });
            Meter::join(began, &[used]);
        };
        use_up(true);
        use_up(false);
        assert_eq!(after(&meter, 40), None);
        assert!(after(&meter, 1).is_some());
    }

    #[test]
    fn memory_is_the_scripts_where_the_host_did_not_work() {
        const MIB: u64 = 1 << 20;
        let mut memory = Memory {
            floor: Some(100 * MIB),
            ..Memory::default()
        };
        assert!(!memory.beyond(150 * MIB, 50 * MIB));
        assert!(memory.beyond(151 * MIB, 50 * MIB));
        // What was freed is nobody's.
        assert!(!memory.beyond(80 * MIB, 50 * MIB));
        assert!(memory.beyond(131 * MIB, 50 * MIB));
        memory.working = 1;
        assert!(!memory.beyond(131 * MIB, 50 * MIB));
        assert!(memory.beyond(1000 * MIB, 50 * MIB));
    }

    #[test]
    fn too_much_data_and_too_much_output_are_refused() {
        let meter = meter(Limits {
            data_size: Some(10),
            written: Some(10),
            ..Limits::default()
        });
        meter.opens().opened(10).unwrap();
        let error = meter.opens().opened(11).unwrap_err().to_string();
        assert!(error.contains("data_size"), "{error}");
        meter.writes(6).unwrap();
        assert!(meter.writes(6).unwrap_err().to_string().contains("written"));
    }
}
