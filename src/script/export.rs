//! `export` and `diagram` for scripts. Decides where a script may write, and which weights an export
//! gets.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Engine, NativeCallContext};

use super::manager::Manager;
use super::network::whole;
use super::{Host, Scripted, raise};
use crate::child::Weights;
use crate::child::export::{self, Existing, Format};
use crate::error::Error;
use crate::manager::{BEST_TRIAL_FILE, BEST_WEIGHTS_FILE, child_seed};
use crate::network::{Network, Node, TrainingStep, diagram};
use crate::report::progress::warn;
use crate::study::Trial;

/// The folder of a run that its script's exports are kept in. Nothing else is, so that a script can
/// overwrite nothing but exports.
pub const EXPORTS: &str = "exports";

/// What a session knows for its exports.
#[derive(Default)]
pub(super) struct Exports {
    /// The study's best network so far, with its weights.
    best: Option<Arc<(Network, Weights)>>,
    /// What this session has written outside a run's folder: it may write that again.
    written: BTreeSet<PathBuf>,
}

impl Exports {
    /// Keeps the study's new best at hand.
    pub fn keep_best(&mut self, best: Option<Arc<(Network, Weights)>>) {
        self.best = best;
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(exports).into());
}

#[export_module]
mod exports {
    /// Writes the network with its weights, in the format that the path's ending asks for: `.onnx`,
    /// `.safetensors` (the network's description goes beside it as `.json`), or no ending for the
    /// folder of a stand-alone Burn crate; `.json`, `.svg` and `.mmd` (Mermaid) describe the network
    /// alone. Returns the path of what was written.
    ///
    /// The study's best network so far has its trained weights. Any other has the weights that it
    /// starts with, and a warning says so; `manager.export(net, path)` has trained ones.
    ///
    /// A run's exports are in the folder `exports` of the run, where a later export may replace an
    /// earlier one. Without a run they are in the working folder, and replace nothing but what this
    /// session exported.
    ///
    /// ```rhai
    /// let net = input([1, 8, 8]).conv2d(8, 3).batch_norm().relu().global_avg_pool().dense(10);
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// manager.evaluate(net);
    /// print(net.export("model.onnx"));
    /// net.export("model.svg");
    /// ```
    #[rhai_fn(name = "export", return_raw, pure, volatile)]
    pub fn network(ctx: NativeCallContext, net: &mut Node, path: &str) -> Scripted<String> {
        let host = Host::of(&ctx)?;
        let network = whole(net)?;
        let destination = Destination::of(&host, path).map_err(raise)?;
        let step = TrainingStep::default();
        host.limits().child(&network, &step).map_err(raise)?;
        let _timed = host.meter().timed();
        let weights = match destination.format.has_weights() {
            true => Some(at_hand(&host, &network, path).map_err(raise)?),
            false => None,
        };
        destination.write(&host, &network, weights.as_ref())
    }

    /// Writes a network with the weights that this manager's training gives it: those at hand, if it
    /// is the best so far, else it is trained once more. Paths as in `net.export`.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// let net = input([1, 8, 8]).flatten().dense(10);
    /// print(manager.export(net, "models/linear.safetensors"));
    /// print(manager.export(net, "models/linear-crate"));
    /// ```
    #[rhai_fn(name = "export", return_raw, pure, volatile)]
    pub fn trained(
        ctx: NativeCallContext,
        manager: &mut Manager,
        net: Node,
        path: &str,
    ) -> Scripted<String> {
        let host = Host::of(&ctx)?;
        let network = whole(&net)?;
        let destination = Destination::of(&host, path).map_err(raise)?;
        let step = TrainingStep::default();
        host.limits().child(&network, &step).map_err(raise)?;
        let _working = host.meter().work();
        let weights = match destination.format.has_weights() {
            true => Some(manager.weights(&network, "export")?),
            false => None,
        };
        destination.write(&host, &network, weights.as_ref())
    }

    /// The network as text: a "mermaid" flowchart, or an "svg" picture.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).relu();
    /// let net = (x + x.conv2d(16, 3)).global_avg_pool().dense(10);
    /// print(net.diagram("mermaid"));
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn diagram(net: &mut Node, format: &str) -> Scripted<String> {
        let network = whole(net)?;
        match format {
            "mermaid" => Ok(diagram::mermaid(&network)),
            "svg" => diagram::svg(&network).map_err(raise),
            _ => Err(raise(Error::unknown("diagram", format, ["mermaid", "svg"]))),
        }
    }
}

/// The best weights for `network` that there are without training; says so where those are untrained.
fn at_hand(host: &Host, network: &Network, path: &str) -> Result<Weights, Error> {
    if let Some(best) = &host.exports().lock().best
        && best.0 == *network
    {
        return Ok(best.1.clone());
    }
    if let Some(weights) = kept(host, network)? {
        return Ok(weights);
    }
    let seed = child_seed(&host.study().lock(), 0);
    let weights = export::untrained(network, seed)?;
    warn(&format!(
        "warning: {path} has untrained weights: its network is not the study's best; manager.export(net, path) trains it"
    ));
    Ok(weights)
}

/// The weights in the run's folder, if they are those of `network`: an earlier session may have found
/// the best.
fn kept(host: &Host, network: &Network) -> Result<Option<Weights>, Error> {
    let study = host.study().lock();
    let best = study.best().and_then(|trial| trial.evaluation.as_ref());
    let Some(folder) = study
        .folder()
        .filter(|_| best.is_some_and(|b| b.network == *network))
    else {
        return Ok(None);
    };
    // Both files are written one after the other: the trial tells whose weights they are.
    let trial = std::fs::read(folder.file(BEST_TRIAL_FILE)).ok();
    let trial = trial.and_then(|text| serde_json::from_slice::<Trial>(&text).ok());
    match trial.and_then(|trial| trial.evaluation) {
        Some(asked) if asked.network == *network => {
            Weights::load(folder.file(BEST_WEIGHTS_FILE)).map(Some)
        }
        _ => Ok(None),
    }
}

/// Where a script's export goes.
struct Destination {
    path: PathBuf,
    format: Format,
    existing: Existing,
}

impl Destination {
    /// The place that a script calls `path`. No script writes outside the folder of exports, through a
    /// link, or over what is not an export.
    fn of(host: &Host, path: &str) -> Result<Self, Error> {
        let relative = Path::new(path);
        let named = |part| match part {
            Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
            _ => false,
        };
        if path.is_empty() || !relative.components().all(named) {
            let expected = "a path inside the folder of exports, without hidden files";
            return Err(Error::invalid("export", expected, format!("{path:?}")));
        }
        let format = Format::of_path(relative)?;
        let run = host.study().lock().file(EXPORTS);
        let in_run = run.is_some();
        let mut place = run.unwrap_or_else(|| host.folder().to_path_buf());
        let parts = relative.components().count();
        // A crate has a folder inside that is written as well.
        let inside = [Component::Normal("src".as_ref())];
        let inside = inside.iter().filter(|_| format == Format::Burn).copied();
        let mut target = place.clone();
        for (depth, part) in relative.components().chain(inside).enumerate() {
            place.push(part);
            if depth < parts {
                target.clone_from(&place);
            }
            if place.is_symlink() {
                let found = format!("{}, which is a link", place.display());
                return Err(Error::invalid("export", "a place of its own", found));
            }
            let holds_files = depth + 1 < parts || format == Format::Burn;
            if holds_files && place.is_file() {
                let found = format!("{}, which is a file", place.display());
                return Err(Error::invalid("export", "a folder", found));
            }
        }
        let place = target;
        let again = host.exports().lock().written.contains(&place);
        Ok(Self {
            path: place,
            format,
            existing: match in_run || again {
                true => Existing::Replace,
                false => Existing::Keep,
            },
        })
    }

    fn write(self, host: &Host, network: &Network, weights: Option<&Weights>) -> Scripted<String> {
        let Self {
            path,
            format,
            existing,
        } = self;
        export::write(network, weights, format, &path, existing).map_err(raise)?;
        let shown = path.display().to_string();
        let written = export::targets(format, &path);
        let bytes = written.iter().filter_map(|file| file.metadata().ok());
        let bytes = bytes.map(|about| about.len()).sum();
        host.meter().writes(bytes).map_err(raise)?;
        host.exports().lock().written.extend(written);
        Ok(shown)
    }
}
