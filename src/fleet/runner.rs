//! The process that trains children, one after another: orders come as lines of JSON on standard input, what
//! happens goes as lines of JSON to standard output. Knows nothing of queues.
//!
//! It ends when its standard input does, in the midst of a training too: whoever started it is gone, however
//! that came about.

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::system;
use super::task::Task;
use crate::data::{self, DataPaths, Dataset};
use crate::device::{self, Selector};
use crate::error::{Error, Result};
use crate::evaluation::{DataKey, Epoch, Failure, FailureKind, Outcome};
use crate::manager::{Crew, Executor, Files, InProcess, Jobs};

/// How a runner computes.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The device that children are trained on.
    pub device: Selector,
    /// Where data sets are looked for.
    pub paths: DataPaths,
    /// The folder that children leave their weights in.
    pub files: Option<PathBuf>,
    /// The memory that it may take, in bytes.
    pub memory: Option<u64>,
}

/// What a runner is told.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Train a child on so many threads.
    Train { task: Box<Task>, threads: usize },
    /// Stop the training.
    Stop,
}

/// What a runner tells.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The data is there and the training starts.
    Started,
    /// An epoch is over.
    Epoch(Epoch),
    /// The training is over.
    Ended(Outcome),
    /// The training was stopped.
    Stopped,
    /// The child cannot be trained here.
    Refused(String),
}

/// How many data sets stay open: a search has one, its final training perhaps another.
const OPEN: usize = 2;

impl Runner {
    /// The arguments of `nas-script runner` that say the same.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--device".into(), self.device.to_string().into()];
        // Searched first, and then what the environment names, which a runner has from its parent.
        let folder = self.paths.download_dir().to_path_buf();
        arguments.extend(["--data-dir".into(), folder.into()]);
        if let Some(files) = &self.files {
            arguments.extend(["--files".into(), files.into()]);
        }
        if let Some(memory) = self.memory {
            arguments.extend(["--memory".into(), memory.to_string().into()]);
        }
        arguments
    }

    /// Trains what it is told to until standard input ends.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) where the device is not there.
    pub fn run(self) -> Result<()> {
        // Ctrl-C and the end of a job of Slurm's are meant for the process above, which says what is to be
        // done, or ends.
        if let Err(error) = ctrlc::set_handler(|| {}) {
            tracing::warn!("signals will end this process: {error}");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = listen(stop.clone());
        let device = device::open(self.device)?.device;
        system::confine(self.memory.filter(|_| device::is_cpu(&device)));
        let mut opened = Opened::default();
        let files = self.files.map(|folder| Arc::new(Files::Folder(folder)));
        for (task, threads) in tasks {
            let executor = InProcess {
                device: device.clone(),
                crew: Arc::new(Crew::on(1, threads)),
                interrupted: stop.clone(),
                follow: Arc::new(|_, _| {
                    tell(&Event::Started);
                    Box::new(|epoch| tell(&Event::Epoch(epoch.clone())))
                }),
            };
            let asked = &task.evaluation;
            let trained = opened.open(&task, &self.paths).and_then(|data| {
                let jobs = Jobs {
                    files: files.clone(),
                    checkpoints: task.checkpoints,
                    floor: task.floor.as_slice().into(),
                    ..Jobs::new(vec![asked.clone()], data, task.deadline())
                };
                let ended = executor.start(jobs)?.into_iter().last();
                ended.map(|ended| ended.trained).transpose()
            });
            tell(&match trained {
                Ok(Some(trained)) => Event::Ended(trained.outcome),
                Ok(None) => Event::Ended(unanswered()),
                Err(Error::Interrupted) => Event::Stopped,
                Err(error) => Event::Refused(error.to_string()),
            });
        }
        Ok(())
    }
}

/// Reads orders on a thread of its own, so that it sees at once that nobody is there any more.
fn listen(stop: Arc<AtomicBool>) -> Receiver<(Task, usize)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Order::Train { task, threads }) => {
                    stop.store(false, Ordering::Relaxed);
                    if sender.send((*task, threads)).is_err() {
                        break;
                    }
                }
                Ok(Order::Stop) => stop.store(true, Ordering::Relaxed),
                Err(error) => tell(&Event::Refused(error.to_string())),
            }
        }
        system::end_at_once();
    });
    receiver
}

/// What came of a child whose thread ended without an answer.
fn unanswered() -> Outcome {
    let message = "the training ended without an answer";
    Outcome {
        failure: Some(Failure::new(FailureKind::Panic, message)),
        ..Outcome::default()
    }
}

fn tell(event: &Event) {
    let Ok(mut line) = serde_json::to_vec(event) else {
        return;
    };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    // Nobody listens: standard input ends as well.
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

/// The data sets that were opened last.
#[derive(Default)]
struct Opened(Vec<Dataset>);

impl Opened {
    /// The data set that `task` is trained on.
    ///
    /// # Errors
    /// Where it is not here, or is another one than was asked for.
    fn open(&mut self, task: &Task, paths: &DataPaths) -> Result<Dataset> {
        let asked = &task.evaluation.data;
        let opened = &mut self.0;
        let known = opened
            .iter()
            .position(|data| data.source() == &task.data && key(data) == *asked);
        if let Some(at) = known {
            let data = opened.remove(at);
            opened.push(data.clone());
            return Ok(data);
        }
        let data = data::open(&task.data, paths)?;
        let found = key(&data);
        if found != *asked {
            let what = format!("data set '{}'", asked.name);
            let describe = |key: &DataKey| {
                let content = key.content.get(..12).unwrap_or(&key.content);
                format!("content {content}, {}", key.split)
            };
            return Err(Error::invalid(what, describe(asked), describe(&found)));
        }
        if opened.len() >= OPEN {
            opened.remove(0);
        }
        opened.push(data.clone());
        Ok(data)
    }
}

fn key(data: &Dataset) -> DataKey {
    DataKey {
        name: data.name().into(),
        split: data.split_key(),
        content: data.content_hash().into(),
    }
}
