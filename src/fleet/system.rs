//! What the operating system is asked for: limits of a process, the memory that there is, and why a process
//! died. Knows nothing of children. Where a system has none of it, nothing is limited.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Has the kernel kill this process first where memory runs out, and has allocations beyond `bytes` fail.
pub(super) fn confine(bytes: Option<u64>) {
    // Fails where there is no such file, which is any system but Linux.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    #[cfg(unix)]
    if let Some(bytes) = bytes {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = Rlimit {
            current: Some(bytes),
            maximum: getrlimit(Resource::Data).maximum,
        };
        if let Err(error) = setrlimit(Resource::Data, limit) {
            tracing::warn!("memory is not limited: {error}");
        }
    }
    #[cfg(not(unix))]
    let _ = bytes;
}

/// Ends this process at once: nothing that is left to do may hold it up.
pub(super) fn end_at_once() -> ! {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::exit(1)
}

/// The memory of this machine, or what its control group may use of it, in bytes.
pub(super) fn memory() -> Option<u64> {
    let total = fs::read_to_string("/proc/meminfo").ok()?;
    let total = total
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total?.trim().strip_suffix("kB")?.trim();
    let total = total.parse::<u64>().ok()? << 10;
    let group = group("memory.max").and_then(|text| text.trim().parse().ok());
    Some(group.map_or(total, |group: u64| group.min(total)))
}

/// How many processes the kernel has killed for want of memory, here as far as it can tell.
pub(super) fn memory_kills() -> Option<u64> {
    let count = |text: String| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "))?;
        line.trim().parse().ok()
    };
    let machine = fs::read_to_string("/proc/vmstat").ok();
    group("memory.events")
        .and_then(count)
        .or_else(|| machine.and_then(count))
}

/// A file of this process's control group.
fn group(file: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    fs::read_to_string(PathBuf::from("/sys/fs/cgroup").join(own).join(file)).ok()
}

/// The name of this machine.
pub(super) fn machine() -> String {
    #[cfg(unix)]
    {
        let names = rustix::system::uname();
        names.nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_default()
    }
}

/// The signal that ended a process.
pub(super) fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        std::os::unix::process::ExitStatusExt::signal(&status)
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// This program, even where its file was replaced meanwhile.
pub(super) fn program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    match running.exists() {
        true => Ok(running),
        false => std::env::current_exe(),
    }
}
