//! Measures how many jobs a second go through the queue, with worker processes that do nothing but take and
//! finish them, and prints a table.
//!
//!     cargo bench --bench queue -- --workers 4 --jobs 4000
//!
//! PostgreSQL is started on this machine with its default settings, so every commit is on the disk; it is left out
//! where it is not installed. SQLite leaves the last commits to the system.

#[path = "../../tests/postgres/server.rs"]
mod server;

use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use nas_script::evaluation::{Digest, Outcome};
use nas_script::study::store::{Address, NewJob, open};
use server::Server;

/// Measures how many jobs a second go through the queue.
#[derive(Parser)]
#[command(name = "queue")]
struct Arguments {
    /// Worker processes.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Jobs in the queue.
    #[arg(long, default_value_t = 4000)]
    jobs: usize,
    /// What `cargo bench` passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The variable in which a worker finds its store. Everybody can read a command line.
const STORE: &str = "NAS_SCRIPT_QUEUE_BENCH";

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(address) = std::env::var(STORE) {
        return work(&address.parse()?);
    }
    let arguments = Arguments::parse();
    println!(
        "{:<12} {:>7} {:>7} {:>8} {:>8}",
        "store", "workers", "jobs", "seconds", "jobs/s"
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("studies.db");
    measure("SQLite", &file.display().to_string(), &arguments)?;
    if let Some(server) = Server::start("-c max_connections=200") {
        measure("PostgreSQL", &server.database(), &arguments)?;
    }
    Ok(())
}

/// Fills the queue of a fresh store and has it emptied.
fn measure(name: &str, address: &str, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let store = open(&address.parse()?)?;
    let job = |number: usize| NewJob {
        digest: Digest::of_bytes(&number.to_le_bytes()),
        payload: format!("{{\"number\":{number}}}"),
        study: None,
        attempts: 3,
    };
    let jobs: Vec<NewJob> = (0..arguments.jobs).map(job).collect();
    let keys = store.enqueue(&jobs)?;
    let mut workers = Vec::new();
    for _ in 0..arguments.workers {
        let mut worker = Command::new(std::env::current_exe()?)
            .env(STORE, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut answers = BufReader::new(worker.stdout.take().ok_or("no output")?);
        answers.read_line(&mut String::new())?;
        workers.push(worker);
    }
    let started = Instant::now();
    for worker in &mut workers {
        writeln!(worker.stdin.as_mut().ok_or("no input")?, "go")?;
    }
    for worker in &mut workers {
        assert!(worker.wait()?.success());
    }
    let seconds = started.elapsed().as_secs_f64();
    let unfinished = store
        .jobs(&keys)?
        .into_iter()
        .find(|job| job.outcome.is_none());
    assert_eq!(unfinished, None);
    let (workers, jobs) = (arguments.workers, arguments.jobs);
    let rate = jobs as f64 / seconds;
    println!("{name:<12} {workers:>7} {jobs:>7} {seconds:>8.2} {rate:>8.0}");
    Ok(())
}

/// Takes and finishes jobs, from a word on standard input on, until there are none left.
fn work(address: &Address) -> Result<(), Box<dyn Error>> {
    let store = open(address)?;
    let name = format!("worker-{}", std::process::id());
    let outcome = Outcome {
        accuracy: Some(0.5),
        ..Outcome::default()
    };
    println!("ready");
    stdin().read_line(&mut String::new())?;
    while let Some(claim) = store.claim(&name, Duration::from_secs(60))? {
        assert!(store.finish(&claim, "{}", &outcome, None)?);
    }
    Ok(())
}
