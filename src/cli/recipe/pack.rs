//! `nas-script recipe pack FILE`: one file with all imports, a lock, and what a run of it comes to.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{beside, failed};
use crate::cli::Ending;
use crate::cli::scratch::{Scratch, ScratchArgs};
use crate::cli::store::{StoreArgs, find};
use crate::device::Selector;
use crate::error::{Error, Result};
use crate::evaluation::{Digest, KERNEL_VERSION};
use crate::recipe::{self, Claim, Pack, With};
use crate::report::progress::{say, warn};
use crate::script::{self, Bundler, Finder, Header, Outline, Params, Sources};
use crate::seed::Seed;
use crate::study::Trial;
use crate::study::store::Kept;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The recipe, or a script with a header.
    file: PathBuf,
    /// The file to write [default: FILE with the ending .packed.rhai].
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Claim what this study came to, or the one of this run's folder, in place of a run now.
    #[arg(long, value_name = "RUN|STUDY", conflicts_with = "no_claim")]
    claim: Option<String>,
    /// Claim nothing, and run nothing.
    #[arg(long)]
    no_claim: bool,
    /// How far the numbers of another run may be apart: so much, or so much of a number above 1.
    #[arg(long, value_name = "T", default_value_t = 0.01)]
    tolerance: f64,
    /// The seed of the run.
    #[arg(long, default_value_t = 0, conflicts_with = "claim")]
    seed: u64,
    /// Set a parameter of the script.
    #[arg(
        short,
        long = "param",
        value_name = "NAME=VALUE",
        conflicts_with = "claim"
    )]
    param: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
}

pub(super) fn pack(arguments: &Arguments) -> Result<(), Ending> {
    let path = &arguments.file;
    check_tolerance(arguments.tolerance)?;
    let text = recipe::read(path)?;
    if !Pack::is_plain(&text) {
        let expected = "a recipe that is not packed yet (no line begins with //%)";
        return Err(Error::invalid(path.display().to_string(), expected, "a packed one").into());
    }
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    recipe::check_name(&name)?;

    let sources = Sources::default();
    let outline = Outline::of(&sources, path, &text).map_err(|d| failed(d, &sources))?;
    Header::read(&outline, &path.display().to_string())?;
    let params = Params::parse(&arguments.param)?;
    params.check(&outline.params)?;
    let scratch = arguments
        .scratch
        .open(Selector::Auto, !std::io::stderr().is_terminal())?;
    let finder = Finder {
        folder: Some(beside(path)),
        recipes: scratch.sandbox.recipes.clone(),
        most: scratch.sandbox.limits.source_size,
        sources: sources.clone(),
    };
    let bundled = Bundler::new(finder).bundle(path, &text);
    let (text, modules) = bundled.map_err(|d| failed(d, &sources))?;
    let mut pack = Pack::new(&name, text, modules, script::library_digest());
    pack.lock.claim = match &arguments.claim {
        _ if arguments.no_claim => None,
        Some(claimed) => Some(recorded(claimed, arguments, &outline, kind(&scratch))?),
        None => {
            let with = With {
                device: kind(&scratch),
                seed: Seed(arguments.seed),
                params: params.given().clone(),
                tolerance: arguments.tolerance,
            };
            Some(run(&scratch, path, &pack.write(), &with, true)?)
        }
    };
    let out = arguments.out.clone();
    let out = out.unwrap_or_else(|| path.with_extension("packed.rhai"));
    let whole = pack.write();
    recipe::sound(&out.display().to_string(), whole.clone().into())?;
    std::fs::write(&out, &whole).map_err(Error::io("write", &out))?;
    report(&pack, &out, &whole);
    Ok(())
}

/// Checks a tolerance: one that lets anything pass is none.
pub(super) fn check_tolerance(tolerance: f64) -> Result<()> {
    match (0.0..=1.0).contains(&tolerance) {
        true => Ok(()),
        false => Err(Error::invalid(
            "tolerance",
            "a number from 0 to 1",
            tolerance,
        )),
    }
}

/// The kind of device of a run: numbers compare on one kind alone.
pub(super) fn kind(scratch: &Scratch) -> String {
    let selector = scratch.compute.selector.to_string();
    selector.split(':').next().unwrap_or_default().to_string()
}

/// What a run of the pack or script `text`, which came from `path`, comes to; with `asked` its function `claim()` too.
pub(super) fn run(
    scratch: &Scratch,
    path: &Path,
    text: &str,
    with: &With,
    asked: bool,
) -> Result<Claim, Ending> {
    let sources = Sources::default();
    let params = Params::default().over(with.params.clone());
    scratch.within(&beside(path), with.seed, params, |host| {
        let value = script::claim(host, &sources, path, text, asked);
        let value = value.map_err(|diagnostic| failed(diagnostic, &sources))?;
        let trials: Vec<Arc<Trial>> = host.study().lock().trials().to_vec();
        Ok(Claim::of(trials.iter().map(|trial| &**trial), value, with)?)
    })?
}

/// What the study that `claimed` names came to.
fn recorded(
    claimed: &str,
    arguments: &Arguments,
    outline: &Outline,
    device: String,
) -> Result<Claim> {
    let opened = arguments.store.needed()?;
    let store = &*opened.store;
    let folder = std::fs::canonicalize(claimed).ok();
    let of_folder = |kept: &Kept| {
        let own = kept
            .about
            .folder
            .as_ref()
            .and_then(|own| std::fs::canonicalize(own).ok());
        own.is_some() && own == folder
    };
    let kept = match store.studies()?.into_iter().find(of_folder) {
        Some(kept) => kept,
        None => find(store, claimed)?,
    };
    let about = kept.about;
    let what = format!("study '{}'", about.name);
    let script = Path::new(&about.script);
    if script.file_name() != arguments.file.file_name() {
        let expected = format!("one of {}", arguments.file.display());
        return Err(Error::invalid(
            what,
            expected,
            format!("one of {}", about.script),
        ));
    }
    if about.kernel_version != KERNEL_VERSION {
        let expected = format!("kernel version {KERNEL_VERSION}, which a run now would have");
        return Err(Error::invalid(what, expected, about.kernel_version));
    }
    Params::default()
        .over(about.params.clone())
        .check(&outline.params)?;
    let trials = store.trials(kept.id)?;
    let with = With {
        // A study does not record on which kind of device it was.
        device,
        seed: about.seed,
        params: about.params,
        tolerance: arguments.tolerance,
    };
    Claim::of(trials.iter(), None, &with)
}

/// Says what was written.
fn report(pack: &Pack, out: &Path, whole: &str) {
    let (modules, bytes) = (pack.modules.len(), whole.len());
    let digest = Digest::of_bytes(whole.as_bytes());
    say(&format!(
        "{}: {modules} modules packed, {bytes} bytes",
        out.display()
    ));
    say(&format!("sha256: {digest}"));
    match &pack.lock.claim {
        Some(claim) => {
            for (name, value) in claim.lines() {
                say(&format!("  {name}: {}", recipe::plain(&value)));
            }
        }
        None => warn("it claims nothing: `recipe verify` has nothing to compare"),
    }
}
