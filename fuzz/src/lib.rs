//! What is fuzzed: everything that reads what others wrote. Each function takes any bytes and must neither panic nor
//! hang; what it does with sound input is the business of other tests.
//!
//! `fuzz_targets/` drives them by libFuzzer, `tests/fuzz.rs` of the crate by mutations that need no instrumentation.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, LazyLock};

use nas_script::child::{Checkpoint, Examination, Weights};
use nas_script::controller;
use nas_script::data::{self, DataOptions, DataPaths, Dataset, FolderOptions};
use nas_script::device::{self, Selector};
use nas_script::manager::{BenchmarkTable, Ended, Executor, Jobs, TableOptions};
use nas_script::network::{Network, TrainingStep, diagram};
use nas_script::report::progress::Progress;
use nas_script::script::{self, Host, Limits, Params, Sandbox, Session, Sources};
use nas_script::seed::Seed;
use nas_script::study::Study;
use nas_script::study::store::Address;
use nas_script::{Error, Result};

/// A folder that the targets of this process write into.
static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// Trains nothing: training is not what is fuzzed.
struct Idle;

impl Executor for Idle {
    fn start(&self, _: Jobs) -> Result<Receiver<Ended>> {
        Err(Error::invalid("executor", "nothing to train", "a child"))
    }

    fn test(&self, _: &Network, _: &Weights, _: &Dataset) -> Result<Examination> {
        Err(Error::invalid("executor", "nothing to score", "a child"))
    }
}

/// Limits that end any script within a blink.
fn limits() -> Limits {
    Limits {
        operations: Some(20_000),
        printed: Some(1 << 10),
        array_size: Some(10_000),
        map_size: Some(1_000),
        string_size: Some(1 << 14),
        data_size: Some(1 << 18),
        written: Some(1 << 20),
        child_memory: Some(1 << 26),
        params: Some(100_000),
        ..Limits::strict()
    }
}

fn host() -> Host {
    let compute = device::open(Selector::Cpu).expect("a CPU");
    Host::new(Session {
        device: compute.device,
        executor: Arc::new(Idle),
        files: None,
        paths: DataPaths::new(None),
        study: Study::in_memory("fuzz", Seed(0)),
        params: Params::default(),
        progress: Arc::new(Progress::quiet()),
        interrupted: Arc::default(),
        folder: FOLDER.path().to_path_buf(),
        sandbox: Sandbox {
            limits: limits(),
            ..Sandbox::default()
        },
    })
}

/// Parses and runs a script, in a session that is new.
pub fn script(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let run = || {
        let (host, sources) = (host(), Sources::default());
        let engine = script::engine(&host, &sources);
        let path = Path::new("fuzz.rhai");
        let _ = script::parse(&sources, path, text);
        let ran = script::compile(&engine, &sources, path, text);
        let ran = ran.and_then(|ast| script::run(&engine, &ast));
        if let Err(diagnostic) = ran {
            let shown = diagnostic.render(&sources, false);
            assert!(!shown.contains("a fault of its own"), "{shown}");
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(script::STACK);
        let running = thread.spawn_scoped(scope, run).expect("a thread");
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Writes `bytes` as the file `name`, and returns its path.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("to create a folder");
    fs::write(&path, bytes).expect("to write a file");
    path
}

/// Reads a data file: the first byte says in which format.
pub fn data(bytes: &[u8]) {
    let Some((kind, content)) = bytes.split_first() else {
        return;
    };
    match kind % 5 {
        0 => {
            file("cifar/cifar-10-batches-bin/data_batch_1.bin", content);
            file("cifar/cifar-10-batches-bin/test_batch.bin", &[0; 3073]);
            file("cifar/cifar-10-batches-bin/batches.meta.txt", CLASSES);
            known("cifar10", "cifar");
        }
        1 => {
            // Two parts, so that images and labels are both fuzzed.
            let (images, labels) = content.split_at(content.len() / 2);
            for part in ["train", "t10k"] {
                file(&format!("idx/mnist/{part}-images-idx3-ubyte"), images);
                file(&format!("idx/mnist/{part}-labels-idx1-ubyte"), labels);
            }
            known("mnist", "idx");
        }
        2 | 3 => {
            let (name, size) = match kind % 5 {
                2 => ("png", None),
                _ => ("jpg", Some([4, 4])),
            };
            for class in ["a", "b"] {
                file(&format!("{name}/pictures/{class}/1.{name}"), content);
            }
            let options = FolderOptions {
                size,
                data: DataOptions::default(),
            };
            let beside = FOLDER.path().join(name);
            let paths = DataPaths::new(Some(beside.clone()));
            let _ = data::load_folder(Path::new("pictures"), &beside, &options, &paths);
        }
        _ => {
            let path = file("table.csv", content);
            let options = r#"{ "reward": ["a", "b"], "params": "c", "seconds": "d" }"#;
            let options: TableOptions = serde_json::from_str(options).expect("options");
            let _ = BenchmarkTable::open(&path, "table.csv", &options);
        }
    }
}

const CLASSES: &[u8] = b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";

/// Loads the data set `name` from the folder `place`.
fn known(name: &str, place: &str) {
    let paths = DataPaths::new(Some(FOLDER.path().join(place)));
    let _ = data::load(name, &DataOptions::default(), &paths);
}

/// Parses what people type or programs kept: the first byte says in which format.
pub fn formats(bytes: &[u8]) {
    let Some((kind, content)) = bytes.split_first() else {
        return;
    };
    if kind % 8 < 4 {
        let path = file("snapshot.safetensors", content);
        match kind % 8 {
            0 => drop(controller::saved(&path)),
            1 => drop(Weights::load(&path)),
            2 => drop(Checkpoint::load(&path)),
            _ => drop(nas_script::arrays::load(&path)),
        }
        return;
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return;
    };
    match kind % 8 {
        4 | 5 => {
            let name = ["limits.toml", "limits.json"][usize::from(kind % 2)];
            let path = file(name, content);
            let _ = Limits::named(&path.display().to_string());
        }
        6 => {
            if let Ok(address) = text.parse::<Address>() {
                let _ = (address.files(), address.is_server(), address.has_password());
            }
        }
        _ => {
            let _ = text.parse::<Selector>();
            let _ = Params::parse(&text.lines().collect::<Vec<_>>());
        }
    }
}

/// Reads the description of a network; asks one that is sound for all that is known of it.
pub fn network(bytes: &[u8]) {
    let Ok(network) = serde_json::from_slice::<Network>(bytes) else {
        return;
    };
    let _ = (network.params(), network.macs(), network.depth());
    let _ = (
        network.receptive_field(),
        network.digest(),
        network.to_string(),
    );
    let _ = network.memory(&TrainingStep::default());
    let _ = (diagram::mermaid(&network), diagram::svg(&network));
    let text = serde_json::to_vec(&network).expect("a network as JSON");
    let again: Network = serde_json::from_slice(&text).expect("what was written");
    assert_eq!(again, network, "a network that is read again");
    let node = network.to_node().expect("the network as a graph");
    assert_eq!(
        node.network().expect("the graph's network").digest(),
        network.digest()
    );
}
