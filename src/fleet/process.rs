//! A runner process seen from outside: it is started, given a task, stopped, killed, and its death becomes a
//! typed failure of the child that it trained. Knows nothing of queues.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::runner::{Event, Order, Runner};
use super::system;
use super::task::Task;
use crate::error::{Error, Result};
use crate::evaluation::{Epoch, Failure, FailureKind, Outcome};

/// What a runner may be late with an answer before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether a training is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// The start of what an allocation that fails says before the process aborts.
const NO_MEMORY: &str = "memory allocation of ";

/// A living runner.
pub(super) struct Process {
    child: Child,
    orders: ChildStdin,
    events: Receiver<Event>,
    /// The last line of its standard error.
    last_words: Option<JoinHandle<String>>,
    memory: Option<u64>,
    /// See [`system::memory_kills`].
    memory_kills: Option<u64>,
}

/// How a training ended.
pub(super) enum Ending {
    /// With an outcome, which may be a failure of the child.
    Outcome(Outcome),
    /// It was stopped.
    Stopped,
    /// The child cannot be trained here.
    Refused(String),
}

impl Process {
    /// Starts a runner of `program`; without one, of this program.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be started.
    pub fn start(program: Option<&PathBuf>, runner: &Runner) -> Result<Self> {
        let refused = |error| Error::io("start", "a runner process")(error);
        let program = program.cloned().map_or_else(system::program, Ok);
        let program = program.map_err(refused)?;
        let mut command = Command::new(&program);
        command.arg("runner").args(runner.arguments());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "nas-script");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let memory_kills = system::memory_kills();
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(refused)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(orders), Some(out), Some(err)) = pipes else {
            return Err(refused(std::io::Error::other("it has no pipes")));
        };
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let event = match serde_json::from_str(&line) {
                    Ok(event) => event,
                    Err(error) => {
                        // Whoever waits for its answers sees that there are no more.
                        tracing::error!("a runner said '{line}': {error}");
                        return;
                    }
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let last_words = thread::spawn(move || {
            let mut last = String::new();
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                tracing::info!("runner: {line}");
                // A backtrace may follow.
                if !line.trim().is_empty() && !last.contains(NO_MEMORY) {
                    last = line;
                }
            }
            last
        });
        Ok(Self {
            child,
            orders,
            events,
            last_words: Some(last_words),
            memory: runner.memory,
            memory_kills,
        })
    }

    /// Trains what `task` asks for on so many `threads`, until `stop` says that nobody wants it any more. The
    /// process comes back if it lives.
    pub fn train(
        mut self,
        task: &Task,
        threads: usize,
        stop: &dyn Fn() -> bool,
        on_epoch: &dyn Fn(&Epoch),
    ) -> (Ending, Option<Self>) {
        let given = Instant::now();
        let mut started = false;
        let mut history = Vec::new();
        // When it is killed.
        let mut last = None;
        let mut stopping = false;
        self.order(&Order::Train {
            task: Box::new(task.clone()),
            threads,
        });
        loop {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Started) => {
                    started = true;
                    last = task
                        .deadline()
                        .map(|deadline| Instant::now() + deadline + GRACE);
                }
                Ok(Event::Epoch(epoch)) => {
                    on_epoch(&epoch);
                    history.push(epoch);
                }
                Ok(Event::Ended(outcome)) => return (Ending::Outcome(outcome), Some(self)),
                Ok(Event::Stopped) => return (Ending::Stopped, Some(self)),
                Ok(Event::Refused(why)) => return (Ending::Refused(why), Some(self)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let failure = self.cause_of_death();
                    if !started {
                        // It has no device, say, or no room for the data.
                        return (Ending::Refused(failure.message), None);
                    }
                    let outcome = failed(task, failure, history, given.elapsed());
                    return (Ending::Outcome(outcome), None);
                }
            }
            if !stopping && stop() {
                stopping = true;
                last = Some(Instant::now() + GRACE);
                self.order(&Order::Stop);
            }
            if last.is_some_and(|last| Instant::now() >= last) {
                // The process is killed when it is dropped.
                if stopping {
                    return (Ending::Stopped, None);
                }
                let allowed = task.timeout.unwrap_or_default();
                let message = format!("no answer after {allowed} s; its process was killed");
                let failure = Failure::new(FailureKind::Timeout, message);
                let outcome = failed(task, failure, history, given.elapsed());
                return (Ending::Outcome(outcome), None);
            }
        }
    }

    /// One that cannot be given is noticed where its answer is missing.
    fn order(&mut self, order: &Order) {
        let line = serde_json::to_string(order).unwrap_or_default();
        let _ = writeln!(self.orders, "{line}").and_then(|()| self.orders.flush());
    }

    /// Why the process died, whose answers have ended.
    fn cause_of_death(&mut self) -> Failure {
        // One that lives cannot be understood any more. One that died has its status already.
        let _ = self.child.kill();
        let Ok(status) = self.child.wait() else {
            return Failure::new(FailureKind::Killed, "its process is gone");
        };
        let last_words = self.last_words.take().and_then(|thread| thread.join().ok());
        let grew = || system::memory_kills() > self.memory_kills;
        cause(status, &last_words.unwrap_or_default(), self.memory, grew)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails where it is dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the end of a runner means for its child.
pub(super) fn cause(
    status: ExitStatus,
    last_words: &str,
    memory: Option<u64>,
    kernel_killed: impl Fn() -> bool,
) -> Failure {
    const KILL: i32 = 9;
    let signal = system::signal(status);
    if let Some(at) = last_words.find(NO_MEMORY) {
        let limit = memory.map(|bytes| format!("; a child may take {} MiB", bytes >> 20));
        let message = format!("{}{}", &last_words[at..], limit.unwrap_or_default());
        return Failure::new(FailureKind::Oom, message);
    }
    if signal == Some(KILL) && kernel_killed() {
        let message = "the system ran out of memory and killed its process";
        return Failure::new(FailureKind::Oom, message);
    }
    let end = match (signal, status.code()) {
        (Some(signal), _) => format!("signal {signal}{}", name(signal)),
        (None, Some(code)) => format!("its own exit with code {code}"),
        (None, None) => "an unknown cause".into(),
    };
    let said = match last_words {
        "" => String::new(),
        line => format!("; its last words: {line}"),
    };
    Failure::new(
        FailureKind::Killed,
        format!("its process was ended by {end}{said}"),
    )
}

/// The name of a signal that ends processes.
fn name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// The outcome of a child that its process did not tell.
fn failed(task: &Task, failure: Failure, history: Vec<Epoch>, took: Duration) -> Outcome {
    Outcome {
        history,
        seconds: took.as_secs_f64(),
        failure: Some(failure),
        ..super::untrained(&task.evaluation)
    }
}
