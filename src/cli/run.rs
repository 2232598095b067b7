//! `nas-script SCRIPT`: run a search, and say where everything is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::executor::{executor, in_process};
use super::session::{self, Start};
use super::{Ending, RunArgs, interrupt_flag, read_script};
use crate::data::DataPaths;
use crate::device;
use crate::error::{Error, Result};
use crate::manager::{BEST_WEIGHTS_FILE, Files};
use crate::report::history::{HISTORY_FILE, History};
use crate::report::progress::{Progress, say, warn};
use crate::report::tensorboard::Events;
use crate::script::{self, Host, Params, Session, Sources};
use crate::study::{Recorder, RunFolder};

/// The folder that runs are kept in, where no other is named.
pub(super) const RUNS: &str = "runs";

/// Runs the script at `path`, else the one that the resumed study was started with.
pub(super) fn script(path: Option<PathBuf>, args: RunArgs) -> Result<(), Ending> {
    args.workers.check()?;
    args.budget().validate()?;
    let opened = args.store.open()?;
    let earlier = session::earlier(opened.as_ref(), &args)?;
    let recorded = || {
        earlier
            .as_ref()
            .map(|kept| PathBuf::from(&kept.about.script))
    };
    let path = path.or_else(recorded);
    let path = path.ok_or_else(|| Error::invalid("SCRIPT", "a script", "none"))?;
    let text = read_script(&path)?;
    let given = earlier.iter().flat_map(|kept| kept.about.params.clone());
    let params = Params::parse(&args.param)?.over(given.collect());
    let compute = device::open(args.device)?;
    let sandbox = args.sandbox.open()?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();

    // The script is checked before anything is written: a slip leaves no empty run behind.
    let sources = Sources::default();
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let checked = script::parse(&sources, &path, &text);
    let declared = checked.map_err(|d| Ending::Script(Box::new(d), sources.clone()))?;
    params.check(&declared)?;

    let start = Start {
        script: &path,
        name: &name,
        args: &args,
        params: params.given().clone(),
    };
    let (study, run) = session::open(&start, opened.as_ref(), earlier.as_ref())?;
    if !args.quiet {
        warn(&format!("device: {compute}, seed: {}", study.seed().0));
        if let Some(kept) = earlier.as_ref().filter(|kept| kept.trials > 0) {
            let (name, trials) = (&kept.about.name, kept.trials);
            warn(&format!(
                "study '{name}' has {trials} trials: the script is answered from them first"
            ));
        }
    }
    let interrupted = interrupt_flag();
    let progress = progress(args.quiet);
    let places = args.workers.places(&compute);
    let here = in_process(&compute, places.len(), &progress, &interrupted);
    let host = Host::new(Session {
        executor: executor(&args, here, places, opened.as_ref(), study.key())?,
        device: compute.device,
        files: opened.map(|opened| Arc::new(Files::Folder(opened.files))),
        paths: DataPaths::new(args.data_dir),
        study,
        params,
        progress,
        interrupted,
        folder,
        sandbox,
    });
    let engine = script::engine(&host, &sources);
    let result =
        script::compile(&engine, &sources, &path, &text).and_then(|ast| script::run(&engine, &ast));
    host.finish();
    host.study().lock().complete()?;
    summarise(&host, &run);
    if result
        .as_ref()
        .is_err_and(|diagnostic| diagnostic.interrupted)
    {
        advise(&host, &path);
    }
    result.map_err(|diagnostic| Ending::Script(Box::new(diagnostic), sources))
}

/// Says how to go on after Ctrl-C.
fn advise(host: &Host, script: &Path) {
    let study = host.study().lock();
    if study.store().is_some() {
        let (script, name) = (script.display(), study.name());
        warn(&format!("go on with: nas-script {script} --resume {name}"));
    }
}

/// What shows a run in the terminal.
pub(super) fn progress(quiet: bool) -> Arc<Progress> {
    Arc::new(match quiet {
        true => Progress::quiet(),
        false => Progress::default(),
    })
}

/// What follows the trials of a run into its folder.
pub(super) fn recorders(run: &RunFolder) -> Result<Vec<Box<dyn Recorder>>> {
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
            "best of {of} trial{}: trial {number}, {}, score {score:.4}",
            if of == 1 { "" } else { "s" },
            best.architecture()
        ));
        let weights = run.file(BEST_WEIGHTS_FILE);
        if weights.is_file() {
            say(&format!("weights: {}", weights.display()));
        }
    }
    say(&format!("kept in: {}", run.path().display()));
    if let Some(store) = study.store() {
        say(&format!("study: {} in {}", study.name(), store.name()));
    }
}
