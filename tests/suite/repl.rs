//! The interactive session, in a terminal of its own.

use std::process::Command;
use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex};
use tempfile::TempDir;

use crate::harness::NAS_SCRIPT;

const PROMPT: &str = "nas> ";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

struct Terminal {
    session: OsSession,
    home: TempDir,
}

impl Terminal {
    /// Starts a session, and waits for its first prompt.
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    /// Starts a session with a home folder, which may hold the history of an earlier one.
    fn start_in(home: TempDir) -> Self {
        let mut command = Command::new(NAS_SCRIPT);
        command
            .env("HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .env("NAS_SCRIPT_DEVICE", "cpu")
            .env("NO_COLOR", "1")
            .env("TERM", "xterm");
        let mut session = OsSession::spawn(command).unwrap();
        session.set_expect_timeout(Some(Duration::from_secs(20)));
        let mut terminal = Self { session, home };
        terminal.sees("nas-script .* on cpu");
        terminal.sees(PROMPT);
        terminal
    }

    /// Waits for a match of `pattern`.
    #[track_caller]
    fn sees(&mut self, pattern: &str) {
        if let Err(error) = self.session.expect(Regex(pattern)) {
            let mut rest = [0; 4096];
            let n = self.session.try_read(&mut rest).unwrap_or(0);
            let rest = String::from_utf8_lossy(&rest[..n]).into_owned();
            panic!("waiting for {pattern:?}: {error}; then came {rest:?}");
        }
    }

    /// Presses keys.
    fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// Enters a line, and waits for what it prints and for the next prompt.
    #[track_caller]
    fn enter(&mut self, line: &str, printed: &str) {
        self.press(&format!("{line}\r"));
        self.sees(printed);
        self.sees(PROMPT);
    }

    /// Ends the session, asserts its exit code 0, and returns the home folder.
    #[track_caller]
    fn leave(mut self, keys: &str) -> TempDir {
        self.press(keys);
        self.session.expect(Eof).unwrap();
        let status = self.session.get_process().wait().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        self.home
    }
}

#[test]
fn a_variable_lasts_and_ctrl_d_leaves() {
    let mut terminal = Terminal::start();
    terminal.enter("let x = 40 + 2;", "\n");
    terminal.enter("x", "\n42\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn a_function_may_take_several_lines() {
    let mut terminal = Terminal::start();
    terminal.press("fn twice(n) {\r");
    terminal.press("    2 * n }\r");
    terminal.sees(PROMPT);
    terminal.enter("twice(21)", "\n42\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn an_error_is_shown_and_the_session_goes_on() {
    let mut terminal = Terminal::start();
    terminal.enter("let kept = 7;", "\n");
    terminal.enter("print(lost)", "unknown variable 'lost'");
    terminal.enter("input([3, 8, 8]).dense(10)", "dense: expected a flat input");
    terminal.enter("kept", "\n7\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn ctrl_c_at_the_prompt_drops_the_line_and_keeps_the_session() {
    let mut terminal = Terminal::start();
    terminal.enter("let kept = 7;", "\n");
    terminal.press("half a line");
    terminal.sees("half a line");
    terminal.press(CTRL_C);
    terminal.sees(PROMPT);
    terminal.enter("kept", "\n7\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn ctrl_c_stops_a_loop_each_time_and_keeps_the_session() {
    let mut terminal = Terminal::start();
    for n in 1..=2 {
        terminal.press(&format!("print(\"round {n}\"); loop {{}}\r"));
        terminal.sees(&format!("\nround {n}\r\n"));
        terminal.press(CTRL_C);
        terminal.sees("interrupted");
        terminal.sees(PROMPT);
    }
    terminal.enter("40 + 2", "\n42\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn the_up_arrow_recalls_the_last_line() {
    let mut terminal = Terminal::start();
    terminal.enter("40 + 2", "\n42\r\n");
    terminal.press(UP);
    terminal.sees("40 \\+ 2");
    terminal.enter("", "\n42\r\n");

    let mut next_day = Terminal::start_in(terminal.leave(CTRL_D));
    next_day.press(UP);
    next_day.sees("40 \\+ 2");
    next_day.enter("", "\n42\r\n");
    next_day.leave(CTRL_D);
}

#[test]
fn commands_help_and_a_slip_is_suggested() {
    let mut terminal = Terminal::start();
    terminal.enter(":help", "\n:help +this list\r\n");
    terminal.enter("let space = StateSpace();", "\n");
    terminal.enter("let x = 40 + 2;", "\n");
    terminal.enter(":vars", "\nspace: StateSpace\r\nx: i64\r\n");
    terminal.enter(":hepl", "unknown command ':hepl'; did you mean ':help'\\?");
    terminal.leave(":quit\r");
}

#[test]
fn an_import_lasts() {
    let mut terminal = Terminal::start();
    terminal.enter("import \"nas/random\" as random;", "\n");
    terminal.enter(
        "random::search(1)",
        "'random::search' does not take 1 argument",
    );
    terminal.leave(CTRL_D);
}
