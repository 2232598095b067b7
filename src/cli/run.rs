//! `nas-script SCRIPT`: run a search, and say where everything is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::executor::{executor, in_process};
use super::session::{self, Start};
use super::{Ending, RunArgs, interrupt_flag, read_script};
use crate::data::DataPaths;
use crate::device;
use crate::error::{Error, Result};
use crate::manager::{BEST_WEIGHTS_FILE, Files};
use crate::report::history::{HISTORY_FILE, History};
use crate::report::progress::{Audience, Progress, say, warn};
use crate::report::tensorboard::Events;
use crate::report::words::shown;
use crate::script::{self, Diagnostic, Host, Params, Session, Sources};
use crate::study::{Ended, Recorder, RunFolder};

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
        source: &text,
        device: &compute,
        args: &args,
        params: params.given().clone(),
    };
    let progress = Arc::new(Progress::new(args.audience()));
    let (study, run) = session::open(&start, opened.as_ref(), earlier.as_ref(), &progress)?;
    let interrupted = interrupt_flag();
    progress.event(&json!({
        "event": "start",
        "version": env!("CARGO_PKG_VERSION"),
        "script": path.display().to_string(),
        "study": study.name(),
        "seed": study.seed().0,
        "device": compute.to_string(),
        "params": params.given(),
        "folder": run.path().display().to_string(),
        "store": study.store().map(|store| store.name()),
        "recorded": earlier.as_ref().map_or(0, |kept| kept.trials),
    }));
    if args.audience() == Audience::People {
        warn(&format!("device: {compute}, seed: {}", study.seed().0));
        if let Some(kept) = earlier.as_ref().filter(|kept| kept.trials > 0) {
            let (name, trials) = (shown(&kept.about.name), kept.trials);
            warn(&format!(
                "study '{name}' has {trials} trials: the script is answered from them first"
            ));
        }
    }
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
    let ended = match &result {
        Ok(()) => Ended::Finished,
        Err(diagnostic) if diagnostic.interrupted => Ended::Interrupted,
        Err(_) => Ended::Failed,
    };
    host.keep()?;
    host.study().lock().complete(ended)?;
    if args.json {
        host.progress()
            .event(&end(&host, &run, ended, result.as_ref().err(), &sources));
    } else {
        summarise(&host, &run);
        if ended == Ended::Interrupted {
            advise(&host, &path);
        }
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

/// What follows the trials of a run, which was started with what is `given`, into its folder.
pub(super) fn recorders(
    run: &RunFolder,
    given: &BTreeMap<String, String>,
) -> Result<Vec<Box<dyn Recorder>>> {
    Ok(vec![
        Box::new(History::create(&run.file(HISTORY_FILE))?),
        Box::new(Events::create(run.path(), given)?),
    ])
}

/// How the run ended, for programs.
fn end(
    host: &Host,
    run: &RunFolder,
    ended: Ended,
    diagnostic: Option<&Diagnostic>,
    sources: &Sources,
) -> serde_json::Value {
    let study = host.study().lock();
    let best = study.best();
    json!({
        "event": "end",
        "status": match ended {
            Ended::Finished => "finished",
            Ended::Interrupted => "interrupted",
            Ended::Failed => "failed",
        },
        "error": diagnostic.filter(|_| ended == Ended::Failed).map(|d| d.render(sources, false)),
        "trials": study.trials().len(),
        "best": best.map(|best| json!({
            "number": best.number,
            "score": best.score,
            "accuracy": best.outcome.accuracy,
            "architecture": best.architecture(),
        })),
        "folder": run.path().display().to_string(),
        "study": study.name(),
    })
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
            shown(&best.architecture())
        ));
        let weights = run.file(BEST_WEIGHTS_FILE);
        if weights.is_file() {
            say(&format!("weights: {}", weights.display()));
        }
    }
    say(&format!("kept in: {}", run.path().display()));
    if let Some(store) = study.store() {
        say(&format!(
            "study: {} in {}",
            shown(study.name()),
            store.name()
        ));
    }
}
