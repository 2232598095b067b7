//! A terminal with a session in it. It waits for what is to be seen, and for nothing else.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::{Duration, Instant};

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex};

use crate::harness::{Place, seen};

pub const PROMPT: &str = "nas> ";
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const UP: &str = "\x1b[A";
pub const RIGHT: &str = "\x1b[C";
pub const TAB: &str = "\t";
pub const ALT_ENTER: &str = "\x1b\r";

/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long until keys that should end a session are pressed again.
const AGAIN: Duration = Duration::from_secs(5);

pub struct Terminal {
    session: OsSession,
    pub place: Place,
}

impl Terminal {
    /// Starts a session without colours in an empty place, and waits for its first prompt.
    pub fn start() -> Self {
        Self::start_in(Place::new())
    }

    /// Starts one in a place that may hold files, and the history of an earlier one.
    pub fn start_in(place: Place) -> Self {
        Self::start_with(place, &[("NO_COLOR", "1")], &[])
    }

    /// Starts one with variables of the environment, and arguments.
    pub fn start_with(place: Place, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = place.command(arguments);
        command
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        // The terminal is all that it has.
        command.stdin(Stdio::inherit());
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let mut session = OsSession::spawn(command).unwrap();
        // Wide enough that no line of a test wraps.
        let process = session.get_process_mut();
        process.set_window_size(240, 50).unwrap();
        let mut terminal = Self { session, place };
        terminal.sees("nas-script .* on cpu");
        terminal.sees(PROMPT);
        terminal
    }

    /// Waits for a match of `pattern`, and returns it.
    #[track_caller]
    pub fn sees(&mut self, pattern: &str) -> String {
        match seen(&mut self.session, || Regex(pattern), PATIENCE) {
            Ok(found) => String::from_utf8_lossy(found.get(0).unwrap()).into_owned(),
            Err(error) => {
                let mut rest = [0; 8192];
                let n = self.session.try_read(&mut rest).unwrap_or(0);
                let rest = String::from_utf8_lossy(&rest[..n]).into_owned();
                panic!("waiting for {pattern:?}: {error}; then came {rest:?}");
            }
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// Enters a line, and waits for what it prints and for the next prompt.
    #[track_caller]
    pub fn enter(&mut self, line: &str, printed: &str) {
        self.press(&format!("{line}\r"));
        self.sees(printed);
        self.sees(PROMPT);
    }

    /// Types `begun` and Tab, waits for what it becomes, and drops the line.
    #[track_caller]
    pub fn completes(&mut self, begun: &str, into: &str) {
        self.press(&format!("{begun}{TAB}"));
        self.sees(into);
        self.press(CTRL_C);
        self.sees(PROMPT);
    }

    /// Waits for the end of the process, and returns its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        match seen(&mut self.session, || Eof, PATIENCE) {
            Ok(_) => {}
            // Where the other end is closed, reading may fail as well as end.
            Err(expectrl::Error::IO(error)) if error.kind() != ErrorKind::TimedOut => {}
            Err(error) => panic!("waiting for the end: {error}"),
        }
        self.exit_code()
    }

    #[track_caller]
    fn exit_code(&self) -> i32 {
        match self.session.get_process().wait().unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the session by `keys`, asserts its exit code 0, and returns the place. Keys that come before the prompt reads
    /// them may be lost, so they are pressed until it ends.
    #[track_caller]
    pub fn leave(mut self, keys: &str) -> Place {
        let started = Instant::now();
        loop {
            // It may have ended meanwhile.
            let _ = self.session.send(keys);
            match seen(&mut self.session, || Eof, AGAIN) {
                Err(expectrl::Error::ExpectTimeout) if started.elapsed() < PATIENCE => {}
                Err(expectrl::Error::ExpectTimeout) => panic!("{keys:?} does not end the session"),
                _ => break,
            }
        }
        assert_eq!(self.exit_code(), 0);
        self.place
    }
}
