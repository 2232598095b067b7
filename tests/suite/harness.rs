//! A folder with scripts in it, and the binary run there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use expectrl::session::OsSession;
use expectrl::{Captures, Expect, Needle};
use tempfile::TempDir;

/// The binary under test.
pub const NAS_SCRIPT: &str = env!("CARGO_BIN_EXE_nas-script");

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The shared test data.
pub fn shared_data() -> PathBuf {
    fs::canonicalize(repository("../shared/data")).unwrap()
}

/// Serves `answer`, a whole HTTP answer, to the one who asks first; returns the address of `name` on this machine.
pub fn serve(name: &str, answer: impl Into<Vec<u8>>) -> String {
    let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap()).lines();
        request.map_while(Result::ok).find(String::is_empty);
        // Who has seen enough hangs up.
        let _ = stream.write_all(&answer);
    });
    format!("http://{address}/{name}")
}

/// Waits until what `needle` makes is in what a session prints, and takes all up to it. What expectrl does, but it reads without a
/// pause, which takes a core from what it waits for.
pub fn seen<N: Needle>(
    session: &mut OsSession,
    needle: impl Fn() -> N,
    patience: Duration,
) -> Result<Captures, expectrl::Error> {
    let started = Instant::now();
    loop {
        let found = session.check(needle())?;
        if !found.is_empty() {
            return Ok(found);
        }
        if started.elapsed() > patience {
            return Err(expectrl::Error::ExpectTimeout);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Held by tests that fill the machine, and by tests of programs that give up after some seconds: they do not meet.
pub fn busy() -> MutexGuard<'static, ()> {
    static BUSY: Mutex<()> = Mutex::new(());
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder to run `nas-script` in, with a home folder apart that holds nothing.
pub struct Place {
    folder: TempDir,
    home: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let new = || tempfile::tempdir().unwrap();
        Self {
            folder: new(),
            home: new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The command, which sees nothing of the machine's own settings and data.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(NAS_SCRIPT);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            // Graphics libraries complain on standard error where a login has set none.
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("NAS_SCRIPT_DEVICE", "cpu")
            .env_remove("NAS_SCRIPT_DATA")
            .env_remove("NAS_SCRIPT_LOG")
            .env_remove("NAS_SCRIPT_MEMORY")
            .env_remove("NAS_SCRIPT_RECIPES")
            .env_remove("NAS_SCRIPT_STORE")
            .env_remove("NAS_SCRIPT_WORKERS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.ran(&self.command(args).output().unwrap())
    }

    /// Runs `script` from standard input.
    pub fn run_text(&self, script: &str) -> Ran {
        self.run_text_with(&[], script)
    }

    /// The same with arguments.
    pub fn run_text_with(&self, args: &[&str], script: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        if let Err(error) = input.write_all(script.as_bytes()) {
            // Who refuses its arguments reads nothing.
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
        }
        drop(input);
        self.ran(&child.wait_with_output().unwrap())
    }

    /// What came of a command, with `<dir>`, `<home>` and `<shared>` in place of the paths that
    /// differ from one machine or run to the next.
    pub fn ran(&self, output: &Output) -> Ran {
        let places = [
            (self.folder.path().to_path_buf(), "<dir>"),
            (self.home.path().to_path_buf(), "<home>"),
            (shared_data(), "<shared>"),
        ];
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let text = places.iter().fold(text, |text, (path, name)| {
                text.replace(path.to_str().unwrap(), name)
            });
            let lines: Vec<_> = text.lines().map(str::trim_end).collect();
            lines.join("\n").trim_end().to_string()
        };
        Ran {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts success, and returns the standard output.
    #[track_caller]
    pub fn succeeded(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// Asserts that the line that opens with `label` is there, and returns the rest of it.
    #[track_caller]
    pub fn line(&self, label: &str) -> &str {
        let line = self
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no line '{label}…' in\n{}", self.stdout))
            .trim()
    }
}
