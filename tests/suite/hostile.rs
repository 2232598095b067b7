//! Hostile scripts: the files of `hostile/`. Each ends by itself, soon and in little memory, with an error that says
//! why; an interactive session outlives it.
//!
//! The first line of a script says what its error has in it, `//! this | or that`; a second line `//$ …` what it is
//! run with.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Place, Ran, repository};

/// How long a script may go on before it is killed, which it may not come to.
const WATCHDOG: Duration = Duration::from_secs(10);
/// The most memory that it may ever have, in bytes.
const MEMORY: u64 = 1 << 30;
/// How many run at once.
const SIDE_BY_SIDE: usize = 2;

struct Hostile {
    name: String,
    /// One of these is in the error.
    reasons: Vec<String>,
    /// What it is run with.
    arguments: Vec<String>,
    text: String,
}

impl Hostile {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        let reasons = lines
            .next()
            .and_then(|line| line.strip_prefix("//! "))
            .unwrap();
        let arguments = lines.next().and_then(|line| line.strip_prefix("//$ "));
        Self {
            name: path.file_stem().unwrap().to_str().unwrap().into(),
            reasons: reasons.split(" | ").map(Into::into).collect(),
            arguments: arguments
                .into_iter()
                .flat_map(str::split_whitespace)
                .map(Into::into)
                .collect(),
            text,
        }
    }

    /// All of them, in the order of their names.
    fn all() -> Vec<Self> {
        let entries = fs::read_dir(repository("tests/suite/hostile")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Runs it where there is something to reach for; what is wrong with how it ended.
    fn run(&self) -> Vec<String> {
        let place = tempting();
        let script = place.write("scripts/hostile.rhai", &self.text);
        let mut arguments = vec!["-q", "--store", "none"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        arguments.push("hostile.rhai");
        let mut command = place.command(&arguments);
        command.current_dir(script.parent().unwrap());
        let (ran, memory) = watched(&place, command.spawn().unwrap());

        let mut wrong = Vec::new();
        if ran.code != Some(1) {
            wrong.push(format!("ended with {:?}", ran.code));
        }
        if !self
            .reasons
            .iter()
            .any(|reason| ran.stderr.contains(reason))
        {
            wrong.push(format!("expected {:?}", self.reasons));
        }
        if ran.stderr.contains("panicked") || ran.stderr.contains("RUST_BACKTRACE") {
            wrong.push("panicked".into());
        }
        if memory > MEMORY {
            wrong.push(format!("took {} MiB", memory >> 20));
        }
        if !wrong.is_empty() {
            let end: String = ran.stderr.chars().take(2000).collect();
            wrong.push(end);
        }
        wrong
    }
}

/// A folder with a folder of scripts, and what they may not reach.
fn tempting() -> Place {
    let place = Place::new();
    place.write("outside.rhai", "print(\"reached\");");
    place.write("outside.csv", "key,accuracy\n0,0.5\n");
    place.write("scripts/table.csv", "key,accuracy\n0,0.5\n1,0.6\n");
    place.write("scripts/cycle_a.rhai", "import \"cycle_b\" as b;");
    place.write("scripts/cycle_b.rhai", "import \"cycle_a\" as a;");
    let pixel = image();
    for class in ["a", "b"] {
        place.write(&format!("images/{class}/1.png"), &pixel);
        place.write(&format!("scripts/pictures/{class}/1.png"), &pixel);
    }
    link(&place, "../outside.rhai", "scripts/linked.rhai");
    link(&place, "../images", "scripts/linked_folder");
    link(
        &place,
        "../../../images/a/1.png",
        "scripts/pictures/b/2.png",
    );
    place.write("scripts/limits.toml", "variables = 8\n");
    // A file that a reader waits for without end.
    let pipe = place.path("scripts/endless.rhai");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    place
}

fn link(place: &Place, target: &str, name: &str) {
    std::os::unix::fs::symlink(target, place.path(name)).unwrap();
}

/// A picture of one pixel.
fn image() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixel = image::DynamicImage::new_rgb8(1, 1);
    pixel.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// What comes of `child`, and the most memory that it had; killed by the watchdog it has no exit code.
fn watched(place: &Place, mut child: Child) -> (Ran, u64) {
    fn read(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
        let mut from = from.unwrap();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            bytes
        })
    }
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let started = Instant::now();
    let mut memory = 0;
    let status = loop {
        memory = peak(child.id()).unwrap_or(0).max(memory);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > WATCHDOG {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    };
    let output = std::process::Output {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    (place.ran(&output), memory)
}

/// The most memory that the process has had, in bytes; none once it has ended.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes << 10)
}

#[test]
fn every_hostile_script_ends_soon_and_small_with_its_reason() {
    let hostile = Hostile::all();
    assert!(hostile.len() >= 40, "only {}", hostile.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = String::new();
        while let Some(script) = hostile.get(next.fetch_add(1, Ordering::Relaxed)) {
            for complaint in script.run() {
                wrong += &format!("{}: {complaint}\n", script.name);
            }
        }
        wrong
    };
    let wrong: String = thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong}");
}
