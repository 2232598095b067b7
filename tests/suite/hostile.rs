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

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect};

use crate::harness::{NAS_SCRIPT, Place, Ran, repository, seen};

/// How long a script may work before it is killed, which it may not come to.
const WATCHDOG: Duration = Duration::from_secs(10);
/// How many times as long the clock may take where the machine does much else.
const BUSY: u32 = 6;
/// How long a session may take to answer, and until a line is typed again.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_secs(20);
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

/// Limits for scripts that another limit than the clock ends, however busy the machine is.
const UNHURRIED: &str = "seconds = \"none\"\n";

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
    place.write("scripts/unhurried.toml", UNHURRIED);
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
        let worked = worked(child.id()).unwrap_or_default();
        if worked > WATCHDOG || started.elapsed() > BUSY * WATCHDOG {
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

/// The time that processors have spent on the process; none once it has ended.
fn worked(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold anything: the 12th and 13th are user and system time in hundredths (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let hundredths = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * hundredths))
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

/// Lines that are hostile by themselves, and what the session says of them.
const LINES: &[(&str, &str)] = &[
    ("loop {}", "limit 'operations'"),
    (
        "let m = #{}; let t = \"x\"; t.pad(1_000_000, 'x'); let n = 0; loop { m[\"\" + n] = t + n; n += 1; }",
        "limit 'memory'",
    ),
    (
        "let f = || 0; loop { let inner = f; f = || inner.call(); }",
        "limit 'memory'",
    ),
    (
        "let l = [0]; loop { l = [l, l, l]; }",
        "Size of array/BLOB too large",
    ),
    (
        "let t = \"x\"; loop { t += t; }",
        "Length of string too large",
    ),
    (
        "let x = input([3, 8, 8]); loop { x = x.relu(); }",
        "limit 'memory'",
    ),
    ("fn deeper(n) { deeper(n + 1) } deeper(0)", "Stack overflow"),
    ("eval(\"1\")", "'eval' is disabled"),
    (
        "import \"../outside\" as outside;",
        "imports stay inside the script's folder",
    ),
    ("sleep(1_000_000_000)", "sleep is not available"),
    ("for trial in trials(1_000_000_000) { }", "limit 'trials'"),
    (
        "synthetic(#{ samples: 1_000_000_000 })",
        "limit 'data_size'",
    ),
];

#[test]
fn a_session_outlives_hostile_lines() {
    let place = Place::new();
    let home = place.path("home");
    place.write("unhurried.toml", UNHURRIED);
    let mut command = Command::new(NAS_SCRIPT);
    command
        .args(["--limits", "unhurried.toml"])
        .current_dir(place.path("."))
        .env("HOME", &home)
        .env("XDG_DATA_HOME", &home)
        .env("NAS_SCRIPT_DEVICE", "cpu")
        .env("NO_COLOR", "1")
        .env("TERM", "xterm");
    let mut session = OsSession::spawn(command).unwrap();
    let prompt = |session: &mut OsSession| seen(session, || "nas> ", PATIENCE).unwrap();
    prompt(&mut session);
    // What is typed before the prompt reads it may be lost, so it is typed again.
    let ask = |session: &mut OsSession, line: &str, answer: &str| {
        let mut tries = 0..5;
        let answered = tries.any(|_| {
            session.send(format!("{line}\r")).unwrap();
            seen(session, || answer, AGAIN).is_ok()
        });
        assert!(answered, "{line}: no {answer}");
    };
    ask(&mut session, "let kept = 40; kept * 25", "1000");
    prompt(&mut session);
    for (n, (line, reason)) in LINES.iter().enumerate() {
        ask(&mut session, line, reason);
        prompt(&mut session);
        // A sum that is in no input.
        let (sum, kept) = (format!("kept * 1000 + {n}"), format!("{}", 40_000 + n));
        ask(&mut session, &sum, &kept);
        prompt(&mut session);
    }
    let mut tries = 0..5;
    let ended = tries.any(|_| {
        // It may have ended meanwhile.
        let _ = session.send(":quit\r");
        !matches!(
            seen(&mut session, || Eof, AGAIN),
            Err(expectrl::Error::ExpectTimeout)
        )
    });
    assert!(ended, "it does not end");
    let status = session.get_process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[test]
fn limits_come_from_a_file_and_hold_in_a_piped_script() {
    let place = Place::new();
    place.write("few.toml", "operations = 1000\n");
    place.write("slip.toml", "opertions = 1000\n");
    place.write("wrong.json", "{ \"trials\": \"many\" }");
    let looped = "let sum = 0; for i in 0..10_000 { sum += i; } print(sum);";
    let ran = |limits: &[&str]| place.run_text_with(limits, looped);
    assert_eq!(ran(&[]).succeeded(), "49995000");
    assert_eq!(ran(&["--limits", "none"]).succeeded(), "49995000");
    let few = ran(&["--limits", "few.toml"]);
    assert!(
        few.stderr.contains("more than 1000 operations"),
        "{}",
        few.stderr
    );
    assert_eq!(few.code, Some(1));
    for (file, message) in [
        (
            "slip.toml",
            "unknown limit 'opertions'; did you mean 'operations'?",
        ),
        ("wrong.json", "limit 'trials' of wrong.json: expected"),
        (
            "absent.toml",
            "--limits: expected none, strict or a file, found 'absent.toml'",
        ),
    ] {
        let refused = ran(&["--limits", file]);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert_eq!(refused.code, Some(2));
    }
}

#[test]
fn a_search_within_strict_limits_runs_as_ever() {
    let place = Place::new();
    place.write("search.rhai", SEARCH);
    let ran = |limits: &[&str]| {
        let ran = place.run(&[&["-q", "--store", "none", "search.rhai"], limits].concat());
        ran.succeeded().lines().next().map(str::to_string)
    };
    let strict = ran(&["--limits", "strict"]);
    assert!(
        strict.as_ref().is_some_and(|line| line.contains("[0.")),
        "{strict:?}"
    );
    assert_eq!(strict, ran(&["--limits", "none"]));
}

/// Trains, looks up and updates often, with more operations than may be between two of these.
const SEARCH: &str = r#"
import "nas/reinforce" as nas;
let space = StateSpace();
space.add_state("filters", [2, 4]);
fn model(actions) {
    input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).relu().flatten().dense(10)
}
let manager = NetworkManager(dataset("digits", #{ train: 100, validation: 50 }), #{ epochs: 1 });
let found = nas::search(space, manager, model, #{ layers: 1, trials: 4 });
print(found.objectives);
"#;

#[test]
fn imports_are_looked_for_beside_the_script_then_among_recipes() {
    let place = Place::new();
    place.write("recipes/greeting.rhai", "fn hello() { \"from a recipe\" }");
    place.write(
        "recipes/deep/other.rhai",
        "import \"greeting\" as g; fn hello() { g::hello() }",
    );
    place.write("recipes/both.rhai", "fn hello() { \"from a recipe\" }");
    place.write("scripts/both.rhai", "fn hello() { \"from beside\" }");
    place.write("outside.rhai", "fn hello() { \"from outside\" }");
    link(&place, "../outside.rhai", "recipes/linked.rhai");
    let hello = |module: &str| {
        let script = format!("import \"{module}\" as m; print(m::hello());");
        place.write("scripts/search.rhai", script);
        place.run(&[
            "-q",
            "--store",
            "none",
            "--recipes",
            "recipes",
            "scripts/search.rhai",
        ])
    };
    let first = |ran: &Ran| ran.succeeded().lines().next().unwrap().to_string();
    assert_eq!(first(&hello("greeting")), "from a recipe");
    assert_eq!(first(&hello("deep/other")), "from a recipe");
    assert_eq!(first(&hello("both")), "from beside");
    for module in ["linked", "../outside", "deep/../../outside"] {
        let ran = hello(module);
        assert_eq!(ran.code, Some(1), "{module}");
        assert!(
            ran.stderr.contains("inside the script's folder"),
            "{}",
            ran.stderr
        );
    }
    let missing = place.run(&["--recipes", "nowhere", "scripts/search.rhai"]);
    assert!(
        missing.stderr.contains("--recipes: expected a folder"),
        "{}",
        missing.stderr
    );
}
