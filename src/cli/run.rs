//! `nas-script SCRIPT`: run a search, and say where everything is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Ending, RunArgs, in_process, interrupt_flag, read_script, worker};
use crate::data::DataPaths;
use crate::device::{self, Selector};
use crate::error::Result;
use crate::evaluation::KERNEL_VERSION;
use crate::fleet::{self, Fleet};
use crate::manager::{BEST_WEIGHTS_FILE, Executor};
use crate::report::history::{HISTORY_FILE, History};
use crate::report::progress::{Progress, say, warn};
use crate::report::tensorboard::Events;
use crate::script::{self, Host, Params, Session, Sources};
use crate::seed::Seed;
use crate::study::store;
use crate::study::{Recorder, RunFolder, Study};

/// The folder that runs are kept in, where no other is named.
const RUNS: &str = "runs";

pub(super) fn script(path: &Path, args: RunArgs) -> Result<(), Ending> {
    let text = read_script(path)?;
    let params = Params::parse(&args.param)?;
    let compute = device::open(args.device)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();

    // The script is checked before anything is written: a slip leaves no empty run behind.
    let sources = Sources::default();
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let checked = script::parse(&sources, path, &text);
    let declared = checked.map_err(|d| Ending::Script(Box::new(d), sources.clone()))?;
    params.check(&declared)?;

    let run = match &args.out {
        Some(out) => RunFolder::at(out)?,
        None => RunFolder::create(Path::new(RUNS), &name)?,
    };
    let study = Study::in_folder(&name, Seed(args.seed), run.clone(), recorders(&run)?)?;
    if !args.quiet {
        warn(&format!("device: {compute}, seed: {}", args.seed));
    }
    let progress = Arc::new(if args.quiet {
        Progress::quiet()
    } else {
        Progress::default()
    });
    let interrupted = interrupt_flag();
    let workers = args.workers.number(compute.selector == Selector::Cpu);
    let here = in_process(compute.device.clone(), workers, &progress, &interrupted);
    let executor: Arc<dyn Executor> = match &args.store {
        None => Arc::new(here),
        Some(text) => {
            let address = worker::address(text)?;
            let store = store::open(&address)?;
            let about = store::About {
                name: run.path().display().to_string(),
                script: path.display().to_string(),
                seed: Seed(args.seed),
                params: BTreeMap::new(),
                folder: Some(run.path().to_path_buf()),
                parent: None,
                kernel_version: KERNEL_VERSION,
            };
            let tenure = store.create(&about)?;
            Arc::new(Fleet::new(fleet::Setup {
                study: tenure.study(),
                store,
                files: Some(address.files()),
                here,
                local: fleet::Local {
                    devices: vec![compute.selector; workers],
                    paths: DataPaths::new(args.data_dir.clone()),
                    memory: args.memory.or_else(fleet::default_memory),
                    program: None,
                    lease: Duration::from_secs_f64(args.lease),
                    warn: Arc::new(warn),
                },
            })?)
        }
    };
    let host = Host::new(Session {
        executor,
        device: compute.device,
        paths: DataPaths::new(args.data_dir),
        study,
        params,
        progress,
        interrupted,
        folder,
    });
    let engine = script::engine(&host, &sources);
    let result =
        script::compile(&engine, &sources, path, &text).and_then(|ast| script::run(&engine, &ast));
    host.finish();
    summarise(&host, &run);
    result.map_err(|diagnostic| Ending::Script(Box::new(diagnostic), sources))
}

fn recorders(run: &RunFolder) -> Result<Vec<Box<dyn Recorder>>> {
    Ok(vec![
        Box::new(History::create(&run.file(HISTORY_FILE))?),
        Box::new(Events::create(run.path())?),
    ])
}

/// Says what the run came to and where it is kept.
fn summarise(host: &Host, run: &RunFolder) {
    let study = host.study().lock();
    if let Some(best) = study.best() {
        let (number, of) = (best.number, study.trials().len());
        let score = best.score.unwrap_or_default();
        say(&format!(
            "best of {of} trials: trial {number}, {}, score {score:.4}",
            best.architecture()
        ));
        say(&format!(
            "weights: {}",
            run.file(BEST_WEIGHTS_FILE).display()
        ));
    }
    say(&format!("kept in: {}", run.path().display()));
}
