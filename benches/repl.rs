//! What the prompt takes: until it is there, for a completion, and for a call of the host.
//!
//! `cargo bench --bench repl`; the targets are 100 ms, 20 ms and 1 µs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use expectrl::Expect;
use expectrl::session::OsSession;
use nas_script::data::DataPaths;
use nas_script::device::{self, Selector};
use nas_script::error::{Error, Result};
use nas_script::manager::{Crew, InProcess};
use nas_script::repl::{Ground, Repl};
use nas_script::report::progress::Progress;
use nas_script::script::{self, Host, Limits, Params, Sandbox, Session, Sources};
use nas_script::seed::Seed;
use nas_script::study::Study;
use nas_script::study::store::StudyStore;
use rhai::Scope;

/// A session on the CPU, without a store.
struct Bench;

impl Ground for Bench {
    fn host(&self, seed: u64) -> Result<Host> {
        let compute = device::open(Selector::Cpu)?;
        Ok(Host::new(Session {
            executor: Arc::new(InProcess {
                device: compute.device.clone(),
                crew: Arc::new(Crew::new(1)),
                interrupted: Arc::default(),
                follow: Arc::new(|_, _| Box::new(|_| ())),
            }),
            device: compute.device,
            files: None,
            paths: DataPaths::new(None),
            study: Study::in_memory("bench", Seed(seed)),
            params: Params::default(),
            progress: Arc::new(Progress::quiet()),
            interrupted: Arc::default(),
            folder: PathBuf::new(),
            sandbox: Sandbox::default(),
        }))
    }

    fn device(&self) -> String {
        "cpu".into()
    }

    fn move_to(&self, _: &Host, name: &str) -> Result<()> {
        Err(Error::invalid("device", "cpu", name))
    }

    fn store(&self) -> Result<Arc<dyn StudyStore>> {
        Err(Error::invalid("store", "a store", "none"))
    }
}

/// From the start of the process to its first prompt, in a terminal.
fn prompt(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("repl");
    group.sample_size(20);
    group.bench_function("first prompt", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let mut command = Command::new(env!("CARGO_BIN_EXE_nas-script"));
                command
                    .args(["--device", "cpu"])
                    .env("XDG_DATA_HOME", home.path());
                command.env("NO_COLOR", "1").env("TERM", "xterm");
                let began = Instant::now();
                let mut session = OsSession::spawn(command).expect("a session");
                session.set_expect_timeout(Some(Duration::from_secs(60)));
                session.expect("nas> ").expect("a prompt");
                spent += began.elapsed();
                session.send("\x04").expect("an open terminal");
                session.get_process().wait().expect("an end");
            }
            spent
        });
    });
    group.finish();
}

/// A Tab, with the whole standard library documented.
fn completion(criterion: &mut Criterion) {
    let repl = Repl::new(Rc::new(Bench), 0, false).expect("a session");
    let mut group = criterion.benchmark_group("completion");
    for text in [
        "Sta",
        "input([1, 8, 8]).conv2d(4, 3).relu().glo",
        "let x = StateSpace(); x.get_random_state_space(4).lay",
        "study.",
        "Controller(4, space, #{ mode: \"ppo\", entr",
        "import \"nas/",
        ":doc nas/",
    ] {
        assert!(
            !repl.completions(text).1.is_empty(),
            "{text} has no completion"
        );
        group.bench_function(BenchmarkId::from_parameter(text), |bencher| {
            bencher.iter(|| repl.completions(text));
        });
    }
    // What the first Tab waits for, at most: it is read while the first line is typed.
    group.sample_size(10);
    group.bench_function("reading the reference", |bencher| {
        bencher.iter(|| script::Reference::of(&script::vocabulary()));
    });
    group.finish();
}

/// A call from a script into the host; the loop by itself is to be taken off.
fn call(criterion: &mut Criterion) {
    const CALLS: u64 = 10_000;
    let sandbox = Limits::default();
    assert!(
        sandbox.operations.is_some(),
        "calls are measured in the sandbox"
    );
    let host = Bench.host(0).expect("a host");
    let sources = Sources::default();
    let engine = script::engine(&host, &sources);
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Elements(CALLS));
    for (name, body) in [
        ("an empty loop", ""),
        ("a property", "space.size;"),
        ("a method", "space.get_state_value(0, 1);"),
        ("a function with its host", "param(\"epochs\", 10, \"\");"),
    ] {
        let text = format!(
            "let space = StateSpace(); space.add_state(\"kernel\", [1, 3]);
             for i in 0..{CALLS} {{ {body} }}"
        );
        let ast = script::compile(&engine, &sources, Path::new("bench"), &text).expect("a script");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let value = script::evaluate(&engine, &mut Scope::new(), &ast, "bench");
                value.expect("a run")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, call, completion, prompt);
criterion_main!(benches);
