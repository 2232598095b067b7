//! `nas-script SCRIPT`: run a search, and say where everything is kept.

use std::path::Path;

use super::{Ending, RunArgs, interrupt_flag, read_script};
use crate::data::DataPaths;
use crate::device::{self, Selector};
use crate::error::Result;
use crate::manager::BEST_WEIGHTS_FILE;
use crate::report::history::{HISTORY_FILE, History};
use crate::report::progress::{Progress, say, warn};
use crate::report::tensorboard::Events;
use crate::script::{self, Host, Params, Session, Sources};
use crate::seed::Seed;
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
    let host = Host::new(Session {
        workers: args.workers.number(compute.selector == Selector::Cpu),
        device: compute.device,
        paths: DataPaths::new(args.data_dir),
        study,
        params,
        progress: if args.quiet {
            Progress::quiet()
        } else {
            Progress::default()
        },
        interrupted: interrupt_flag(),
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
