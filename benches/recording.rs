//! What recording costs a search: the same search on a benchmark table, kept in memory alone, and with everything that a
//! run keeps (store, journal, history, TensorBoard events, controller, progress).
//!
//! `cargo bench --bench recording` prints both, in turn and on the same machine, and the share of the time that is the
//! recording's. A search here takes some milliseconds a trial, as fast as any gets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nas_script::data::DataPaths;
use nas_script::device::{self, Selector};
use nas_script::evaluation::KERNEL_VERSION;
use nas_script::manager::{Crew, InProcess};
use nas_script::report::history::{HISTORY_FILE, History};
use nas_script::report::progress::Progress;
use nas_script::report::tensorboard::Events;
use nas_script::script::{self, Host, Params, Sandbox, Session, Sources};
use nas_script::seed::Seed;
use nas_script::study::store::{About, open};
use nas_script::study::{Divergence, Ended, Keeper, Past, RunFolder, Study};

const SEARCH: &str = r#"
import "nas/reinforce" as search;
let space = StateSpace();
space.add_state("block", [0, 1, 2]);
let table = BenchmarkTable("nas-bench-macro.csv", #{ reward: ["acc1", "acc2", "acc3"], params: "params", macs: "flops" });
search::search(space, table, |actions| (), #{ layers: 8, trials: 300 });
"#;

/// How often each search is run.
const ROUNDS: usize = 25;

/// What is recorded.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Nothing,
    /// In the run's folder: journal, history, TensorBoard events, controller.
    Folder,
    /// And in the store.
    All,
}

fn main() {
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for seed in 0..ROUNDS as u64 {
        for (of, kept) in [Kept::Nothing, Kept::Folder, Kept::All]
            .into_iter()
            .enumerate()
        {
            times[of].push(search(seed, kept));
        }
    }
    // Each share is of searches that ran one after the other: the machine is not as fast at all times.
    let mut shares: Vec<f64> = (0..ROUNDS)
        .map(|round| times[0][round].as_secs_f64() / times[2][round].as_secs_f64())
        .map(|rest| (1.0 - rest) * 100.0)
        .collect();
    shares.sort_by(f64::total_cmp);
    let [nothing, folder, all] = times.map(median).map(|time| time.as_secs_f64());
    println!("300 trials of a table, median of {ROUNDS} rounds in turn");
    println!("in memory         {:8.1} ms", nothing * 1e3);
    println!("in a folder       {:8.1} ms", folder * 1e3);
    println!("and in a store    {:8.1} ms", all * 1e3);
    println!(
        "recording is {:.1} % of the time of the search (median; quartiles {:.1} and {:.1})",
        shares[ROUNDS / 2],
        shares[ROUNDS / 4],
        shares[ROUNDS * 3 / 4]
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// How long the search takes.
fn search(seed: u64, what: Kept) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let compute = device::open(Selector::Cpu).expect("the CPU");
    let study = match what {
        Kept::Nothing => Study::in_memory("bench", Seed(seed)),
        _ => kept(folder.path(), seed, what == Kept::All),
    };
    let host = Host::new(Session {
        executor: Arc::new(InProcess {
            device: compute.device.clone(),
            crew: Arc::new(Crew::new(1)),
            interrupted: Arc::default(),
            follow: Arc::new(|_, _| Box::new(|_| ())),
        }),
        device: compute.device,
        files: None,
        paths: DataPaths::new(Some(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        )),
        study,
        params: Params::default(),
        progress: Arc::new(Progress::quiet()),
        interrupted: Arc::default(),
        folder: PathBuf::new(),
        sandbox: Sandbox::default(),
    });
    let sources = Sources::default();
    let engine = script::engine(&host, &sources);
    let ast =
        script::compile(&engine, &sources, Path::new("bench.rhai"), SEARCH).expect("a script");
    let started = Instant::now();
    if let Err(diagnostic) = script::run(&engine, &ast) {
        panic!("{}", diagnostic.render(&sources, false));
    }
    host.keep().expect("a record");
    host.study()
        .lock()
        .complete(Ended::Finished)
        .expect("a record");
    started.elapsed()
}

/// A study that is kept as `nas-script SCRIPT` keeps it.
fn kept(folder: &Path, seed: u64, stored: bool) -> Study {
    let store = open(
        &folder
            .join("studies.db")
            .display()
            .to_string()
            .parse()
            .expect("an address"),
    )
    .expect("a store");
    let run = RunFolder::at(&folder.join("run")).expect("a folder");
    let about = About {
        name: "bench".into(),
        script: "bench.rhai".into(),
        seed: Seed(seed),
        params: Default::default(),
        folder: Some(run.path().to_path_buf()),
        parent: None,
        kernel_version: KERNEL_VERSION,
        source: SEARCH.into(),
        environment: None,
    };
    let tenure = store.create(&about).expect("a study");
    let keeper = Keeper {
        store,
        tenure,
        has: (0, 0),
    };
    let past = Past::new(Vec::new(), Vec::new(), Divergence::Refuse);
    let recorders: Vec<Box<dyn nas_script::study::Recorder>> = vec![
        Box::new(History::create(&run.file(HISTORY_FILE)).expect("a history")),
        Box::new(Events::create(run.path(), &about.params).expect("events")),
    ];
    let study = Study::in_folder("bench", Seed(seed), run, recorders).expect("a study");
    match stored {
        true => study.stored(keeper, past),
        false => study,
    }
}
