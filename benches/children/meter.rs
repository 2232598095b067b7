//! Clocks and memory of this process, as Linux counts them. Knows nothing of what is measured.

use std::fs;
use std::io::Result;
use std::time::Instant;

/// Clock ticks a second in `/proc`, on every architecture that matters here.
const TICKS: f64 = 100.0;

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub struct Reading {
    wall: Instant,
    cpu: f64,
}

impl Reading {
    /// Reads the clocks. The CPU time is that of all threads, user and system, in steps of 10 ms.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").expect("a Linux with /proc");
        // The name of the program, in brackets, may hold spaces.
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
        Self {
            wall: Instant::now(),
            cpu: ticks / TICKS,
        }
    }

    /// The seconds of wall clock and of CPU time since `earlier`.
    pub fn since(self, earlier: Self) -> (f64, f64) {
        let wall = self.wall.duration_since(earlier.wall);
        (wall.as_secs_f64(), self.cpu - earlier.cpu)
    }
}

/// The most memory that was resident at a time, in bytes.
pub fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    Ok(kilobytes.unwrap_or(0_u64) * 1024)
}
