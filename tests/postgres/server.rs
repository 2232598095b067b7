//! A real PostgreSQL for tests and benches: a fresh cluster on the loopback device, gone with the process that
//! started it. Knows nothing of `nas-script`.

// Each user of this file uses a part of it; and a test may give up where there is no server.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const USER: &str = "nas";
const PASSWORD: &str = "s3cret";

/// Makes a cluster in a new folder and prints that.
const MAKE: &str = r#"
set -e
folder=$(mktemp -d)
printf %s "$2" > "$folder/password"
"$0/initdb" -D "$folder/data" -U "$1" --pwfile="$folder/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C --no-sync > "$folder/initdb.log"
printf %s "$folder"
"#;

/// Waits until nobody holds the other end of its input any more, however that came about, and cleans up.
const WARD: &str = r#"
cat > "$1/ward"
"$0/pg_ctl" -D "$1/data" -m immediate -w stop > "$1/ward"
rm -rf "$1"
"#;

/// A running server.
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: String,
    ward: Child,
    databases: AtomicUsize,
}

impl Server {
    /// Starts a server with `settings`, such as `-c max_connections=200`. `None`, with the reason on standard
    /// error, where PostgreSQL is not installed; that is a failure where `NAS_SCRIPT_REQUIRE_POSTGRES=1`.
    pub fn start(settings: &str) -> Option<Self> {
        let Some(bin) = programs() else {
            let required = std::env::var("NAS_SCRIPT_REQUIRE_POSTGRES");
            assert_ne!(required.as_deref(), Ok("1"), "PostgreSQL is not installed");
            eprintln!("skipped: PostgreSQL is not installed (no initdb, no pg_config)");
            return None;
        };
        let made = unprivileged("sh")
            .args(["-c", MAKE])
            .arg(&bin)
            .args([USER, PASSWORD])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let folder = PathBuf::from(String::from_utf8(made.stdout).unwrap());
        let ward = unprivileged("sh")
            .args(["-c", WARD])
            .args([&bin, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Free at this moment; others may take it before the server does, but rarely.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self {
            bin,
            port,
            settings: format!(
                "-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories='' {settings}"
            ),
            folder,
            ward,
            databases: AtomicUsize::new(0),
        };
        server.run();
        Some(server)
    }

    /// Makes a database and returns its address, with the password.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("studies{number}");
        self.sql(&self.url("postgres"), &format!("create database {name}"));
        self.url(&name)
    }

    /// The address of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The port on the loopback device.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `psql` answers to `sql`: a line for each row, with `|` between the columns.
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let answer = Command::new(self.bin.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url])
            .output()
            .unwrap();
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stdout).unwrap().trim_end().into()
    }

    /// Sends a signal, such as `STOP`, to the server's processes `pids`, which are separated by space.
    pub fn signal(&self, signal: &str, pids: &str) {
        let mut kill = unprivileged("kill");
        let sent = kill.arg(format!("-{signal}")).args(pids.split_whitespace());
        assert!(sent.status().unwrap().success(), "{signal} {pids}");
    }

    /// Restarts the server as an administrator does: all connections are ended, nothing is lost.
    pub fn restart(&self) {
        self.stop();
        self.run();
    }

    /// Has the server crash and recover: what was not on the disk yet is lost.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "-w", "stop"]);
        self.run();
    }

    /// Ends all connections. The data stay for [`run`](Self::run).
    pub fn stop(&self) {
        self.control(&["-m", "fast", "-w", "stop"]);
    }

    /// Starts the server again.
    pub fn run(&self) {
        let log = self.folder.join("log");
        let log = log.to_str().unwrap();
        self.control(&["-w", "-t", "60", "-l", log, "-o", &self.settings, "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        // The server must not inherit a pipe that somebody reads to its end.
        let done = unprivileged(self.bin.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "pg_ctl {arguments:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.ward.stdin.take());
        self.ward.wait().ok();
    }
}

/// The folder of PostgreSQL's programs, the newest of several.
fn programs() -> Option<PathBuf> {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let named = asked.and_then(|asked| String::from_utf8(asked.stdout).ok());
    let named = named.map(|folder| PathBuf::from(folder.trim_end()));
    let mut found: Vec<PathBuf> = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .chain(named)
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// `program` as a user that PostgreSQL accepts: it refuses to run as root.
fn unprivileged(program: impl AsRef<Path>) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap();
    let mut command;
    if id.stdout == b"0\n" {
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program.as_ref());
    } else {
        command = Command::new(program.as_ref());
    }
    // A folder that the user may not enter is no place to start in.
    command.current_dir("/");
    command
}
