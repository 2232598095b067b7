//! Children that other processes train, by a store in a file of SQLite: real runner processes, really killed.

mod children;
mod postgres;
mod runs;
mod workers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nas_script::child::Trained;
use nas_script::data::{DataOptions, DataPaths, Dataset, load};
use nas_script::device::{self, Selector};
use nas_script::evaluation::{DataKey, Evaluation, TrainingConfig};
use nas_script::fleet::{Fleet, Local, Setup, Task};
use nas_script::manager::{Crew, Executor, InProcess, Jobs};
use nas_script::network::{Conv2dOptions, DenseOptions, Network, Node};
use nas_script::seed::Seed;
use nas_script::study::store::{About, Address, Job, JobState, NewJob, StudyStore, open};

use crate::harness::{NAS_SCRIPT, Place};

/// A lease that no test waits for.
const LEASE: Duration = Duration::from_secs(90);

/// A store with a study in it, and a folder for the files.
struct Queue {
    place: Place,
    address: String,
    store: Arc<dyn StudyStore>,
    study: i64,
}

impl Queue {
    /// A store in a file.
    fn new() -> Self {
        let place = Place::new();
        let address = place.path("studies.db").to_str().unwrap().to_string();
        Self::at(place, address)
    }

    fn at(place: Place, address: String) -> Self {
        let store = open(&address.parse().unwrap()).unwrap();
        let about = About {
            name: "search".into(),
            script: "search.rhai".into(),
            seed: Seed(1),
            params: BTreeMap::new(),
            folder: None,
            parent: None,
            kernel_version: 0,
            source: String::new(),
            environment: None,
        };
        let study = store.create(&about).unwrap().study();
        Self {
            place,
            address,
            store,
            study,
        }
    }

    /// The folder that weights are left in.
    fn files(&self) -> PathBuf {
        self.place.path("files")
    }

    /// A fleet with so many workers of its own.
    fn fleet(&self, workers: usize) -> Fleet {
        self.fleet_with(workers, LEASE, None, &Arc::default())
    }

    fn fleet_with(
        &self,
        workers: usize,
        lease: Duration,
        memory: Option<u64>,
        interrupted: &Arc<AtomicBool>,
    ) -> Fleet {
        let local = Local {
            devices: vec![Selector::Cpu; workers],
            paths: DataPaths::new(None),
            memory,
            program: Some(NAS_SCRIPT.into()),
            lease,
            warn: Arc::new(|_| {}),
        };
        let setup = Setup {
            store: self.store.clone(),
            study: self.study,
            files: Some(self.files()),
            here: in_process(interrupted),
            local,
        };
        Fleet::new(setup).unwrap()
    }

    /// A `nas-script worker` of this store.
    fn worker(&self, args: &[&str]) -> Child {
        let mut all = vec!["worker", "--workers", "1", "--files"];
        let files = self.files();
        all.push(files.to_str().unwrap());
        all.extend(args);
        let mut command = self.place.command(&all);
        command
            .env("NAS_SCRIPT_STORE", &self.address)
            .spawn()
            .unwrap()
    }

    fn enqueue(&self, task: &Task) -> i64 {
        self.enqueue_payload(&task.evaluation, task.write().unwrap())
    }

    fn enqueue_payload(&self, asked: &Evaluation, payload: String) -> i64 {
        let job = NewJob {
            digest: asked.digest(),
            payload,
            study: Some(self.study),
            attempts: 3,
        };
        self.store.enqueue(&[job]).unwrap()[0]
    }

    fn job(&self, id: i64) -> Job {
        self.store.jobs(&[id]).unwrap().remove(0)
    }

    /// The job, once `seen` holds of it.
    fn wait_for(&self, id: i64, seen: impl Fn(&Job) -> bool) -> Job {
        let mut job = self.job(id);
        until("the job", || {
            job = self.job(id);
            seen(&job)
        });
        job
    }

    /// The runner processes that leave their weights here.
    fn runners(&self) -> Vec<u32> {
        runners(&self.files())
    }
}

/// Waits until `seen` holds; fails after two minutes.
fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let started = Instant::now();
    while !seen() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{what}: too late"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The living runner processes whose files are in `folder`.
fn runners(folder: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    let runs = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut arguments = line.split('\0');
        arguments.nth(1) == Some("runner") && arguments.any(|one| Path::new(one) == folder)
    };
    processes.filter(runs).collect()
}

fn signal(signal: &str, process: u32) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Asks a process to end by SIGTERM once it handles that: before, it would die of it.
fn terminate(process: u32) {
    until("the handler", || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        // The mask of the signals that are caught, from the first (proc(5)).
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << 14) != 0)
    });
    signal("-TERM", process);
}

/// What a process that has no pipes to be read said, and how it ended.
fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn in_process(interrupted: &Arc<AtomicBool>) -> InProcess {
    InProcess {
        device: device::open(Selector::Cpu).unwrap().device,
        crew: Arc::new(Crew::new(2)),
        interrupted: interrupted.clone(),
        follow: Arc::new(|_, _| Box::new(|_| {})),
    }
}

fn digits() -> Dataset {
    let options = DataOptions {
        train: Some(300),
        validation: Some(100),
        ..DataOptions::default()
    };
    load("digits", &options, &DataPaths::new(None)).unwrap()
}

fn ask(data: &Dataset, network: Network, epochs: usize) -> Evaluation {
    Evaluation {
        network,
        data: DataKey {
            name: data.name().into(),
            split: data.split_key(),
            content: data.content_hash().into(),
        },
        training: TrainingConfig {
            epochs,
            batch_size: 50,
            ..TrainingConfig::default()
        },
        seed: Seed(5),
    }
}

fn convolution(filters: usize) -> Network {
    let x = Node::input(&[1, 8, 8]).unwrap();
    let options = Conv2dOptions::default();
    let x = x.conv2d(filters, [3, 3], &options).unwrap();
    ended_by_dense(&x, 10)
}

fn ended_by_dense(x: &Node, units: usize) -> Network {
    let x = x.flatten().unwrap();
    let x = x.dense(units, &DenseOptions::default()).unwrap();
    Network::from_output(&x).unwrap()
}

/// A child that takes a moment.
fn quick(data: &Dataset, filters: usize) -> Evaluation {
    ask(data, convolution(filters), 2)
}

/// A child that does not end while a test runs.
fn endless(data: &Dataset) -> Evaluation {
    ask(data, convolution(32), 1_000_000)
}

/// A child that needs more memory than it is given.
fn huge(data: &Dataset) -> Evaluation {
    let x = Node::input(&[1, 8, 8]).unwrap().flatten().unwrap();
    let x = x.dense(20_000_000, &DenseOptions::default()).unwrap();
    ask(data, ended_by_dense(&x, 10), 1)
}

/// What came of each of `asked`, in their order.
fn evaluate(executor: &dyn Executor, jobs: Jobs) -> Vec<nas_script::Result<Trained>> {
    let mut ended: BTreeMap<usize, _> = BTreeMap::new();
    for one in executor.start(jobs).unwrap() {
        assert!(
            ended.insert(one.job, one.trained).is_none(),
            "answered twice"
        );
    }
    ended.into_values().collect()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn state(job: &Job) -> JobState {
    job.state
}
