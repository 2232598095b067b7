//! A controller in one file: weights and optimizer as safetensors, the rest as JSON beside them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, TensorData};
use rand::SeedableRng;
use serde::de::DeserializeOwned;

use super::guided::{Guided, Kept};
use super::memory::Memory;
use super::optimizer::OptimizerState;
use super::weights::Spec;
use super::{CellKind, Controller, ControllerConfig, Mode, Rollout, pool};
use crate::arrays::{self, Array, Arrays};
use crate::error::{Error, Result};
use crate::seed::{Seed, StreamRng};
use crate::space::StateSpace;

/// The newest version of the file that this program reads and writes.
pub(super) const FORMAT: u32 = 2;
/// The key of the JSON in the file's metadata.
const KEY: &str = "nas-script.controller";
/// What the names of the optimizer's arrays start with.
const OPTIMIZER: &str = "optimizer/";

/// Everything but the arrays.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    format: u32,
    space: StateSpace,
    layers: usize,
    config: ControllerConfig,
    step: u64,
    exploration: f64,
    baseline: Option<f64>,
    rollouts: Vec<Rollout>,
    /// Since format 2.
    #[serde(default)]
    memory: Memory,
    rng: Rng,
    counters: BTreeMap<String, u64>,
    /// The trials of mode guided.
    #[serde(default)]
    guided: Option<Kept>,
}

/// The format alone, which is read first: a newer header may have other fields.
#[derive(serde::Deserialize)]
struct Version {
    format: u32,
}

/// The state of the random stream. The position is text: JSON numbers do not hold 128 bits.
#[derive(serde::Serialize, serde::Deserialize)]
struct Rng {
    seed: [u8; 32],
    position: String,
}

impl Controller {
    /// Saves weights, optimizer, baseline, memory, random state and step in one file, in one step: a reader
    /// sees the old file or the new one.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (arrays, header) = self.snapshot()?;
        write(path, KEY, &arrays, &header)
    }

    /// Goes on from what [`save`](Self::save) wrote, exactly. The options of this controller stay.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; [`Error::Snapshot`] where it is of another
    /// space, number of layers, mode, cell or size, of a newer format, or no controller at all.
    /// The controller is then as it was.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let (arrays, header) = read(path, KEY, "controller")?;
        let restored = self.restore(arrays, header);
        restored.map_err(|reason| refused(path, reason))
    }

    /// Everything there is to keep.
    pub(super) fn snapshot(&self) -> Result<(Arrays, Header)> {
        let optimizer = self.optimizer.state(&self.weights);
        let mut all = self.weights.to_arrays()?;
        for (name, data) in optimizer.tensors {
            let shape = data.shape().to_vec();
            let unreadable =
                |e| Error::invalid(format!("optimizer's '{name}'"), "f32", format!("{e:?}"));
            let values = data.try_into_vec::<f32>().map_err(unreadable)?;
            all.insert(format!("{OPTIMIZER}{name}"), Array { shape, values });
        }
        let header = Header {
            format: FORMAT,
            space: StateSpace::clone(&self.space),
            layers: self.layers,
            config: self.config.clone(),
            step: self.step,
            exploration: self.exploration,
            baseline: self.baseline,
            rollouts: self.rollouts.clone(),
            memory: self.memory.clone(),
            rng: Rng {
                seed: self.rng.get_seed(),
                position: self.rng.get_word_pos().to_string(),
            },
            counters: optimizer.counters,
            guided: self.guided.as_ref().map(Guided::kept),
        };
        Ok((all, header))
    }

    /// Takes what [`snapshot`](Self::snapshot) gave, or says why not and stays as it was.
    pub(super) fn restore(&mut self, all: Arrays, header: Header) -> Result<(), String> {
        if let Some(difference) = self.difference(&header) {
            return Err(difference);
        }
        let (optimizer, weights): (Arrays, Arrays) = all
            .into_iter()
            .partition(|(name, _)| name.starts_with(OPTIMIZER));
        let weights = self.weights.with_arrays(&weights);
        let weights = weights.map_err(|e| e.to_string())?;
        let optimizer = optimizer_state(optimizer, header.counters);
        check_optimizer(self.weights.specs(), &optimizer)?;
        if header.rollouts.iter().any(|r| !self.holds(r)) {
            return Err("a stored rollout is not of its space".into());
        }
        if !header.memory.is_of(&self.policy.sequence.sizes) {
            return Err("a remembered architecture is not of its space".into());
        }
        let position = header.rng.position.parse();
        let position = position.map_err(|e| format!("the random state's position: {e}"))?;

        if let Some(guided) = &mut self.guided {
            let kept = header.guided.unwrap_or_default();
            guided.restore(kept, &self.policy.sequence.sizes)?;
        }
        self.optimizer.restore(&weights, optimizer);
        self.weights = weights;
        self.rng = StreamRng::from_seed(header.rng.seed);
        self.rng.set_word_pos(position);
        self.step = header.step;
        self.exploration = header.exploration;
        self.baseline = header.baseline;
        self.rollouts = header.rollouts;
        self.memory = header.memory;
        Ok(())
    }

    /// Whether `rollout` decides what this controller decides.
    fn holds(&self, rollout: &Rollout) -> bool {
        let sizes = &self.policy.sequence.sizes;
        let rows = sizes[0];
        let decided = rollout.indices.iter().zip(sizes).all(|(i, size)| i < size);
        decided
            && rollout.indices.len() == sizes.len()
            && rollout.input.len() == rows
            && rollout.input.iter().all(|row| *row <= rows)
            && rollout.reward.is_finite()
    }

    /// What keeps the file's controller from being this one.
    fn difference(&self, file: &Header) -> Option<String> {
        if let Some(difference) = space_difference(&self.space, &file.space) {
            return Some(difference);
        }
        let shape = |layers: usize, config: &ControllerConfig| {
            let (mode, cell): (Mode, CellKind) = (config.mode, config.cell);
            [
                ("layers", layers.to_string()),
                ("mode", mode.name().to_string()),
                ("cell", cell.name().to_string()),
                ("controller_cells", config.controller_cells.to_string()),
                ("embedding_dim", config.embedding_dim.to_string()),
            ]
        };
        let own = shape(self.layers, &self.config);
        let theirs = shape(file.layers, &file.config);
        let differs = own.iter().zip(&theirs).find(|(own, theirs)| own != theirs);
        differs.map(|((name, own), (_, theirs))| format!("{name} is {own}, the file's is {theirs}"))
    }
}

/// What the controller that was saved at `path` decides and how it learns; of a pool, its first replica.
///
/// # Errors
/// As [`Controller::load`].
pub fn saved(path: &Path) -> Result<(StateSpace, usize, ControllerConfig)> {
    let (_, header) = kept(path)?;
    Ok((header.space, header.layers, header.config))
}

/// The controller that was saved at `path`, as it was, on `device`; of a pool, its first replica.
///
/// # Errors
/// As [`Controller::load`].
pub fn revive(path: &Path, device: &Device) -> Result<Controller> {
    let (arrays, header) = kept(path)?;
    let mut config = header.config.clone();
    config.restore_controller = None;
    let space = Arc::new(header.space.clone());
    let mut controller = Controller::new(space, header.layers, config, device, Seed(0))?;
    let restored = controller.restore(arrays, header);
    restored.map_err(|reason| refused(path, reason))?;
    Ok(controller)
}

/// What was saved at `path` of a controller, or of the first replica of a pool.
fn kept(path: &Path) -> Result<(Arrays, Header)> {
    match read(path, KEY, "controller") {
        Ok(found) => Ok(found),
        Err(error) => pool::first_replica(path).ok_or(error),
    }
}

/// Writes arrays and the JSON of `header`, called `key`, in one step.
pub(super) fn write(
    path: &Path,
    key: &str,
    arrays: &Arrays,
    header: &impl serde::Serialize,
) -> Result<()> {
    let json = serde_json::to_string(header).map_err(std::io::Error::from);
    let json = json.map_err(Error::io("write", path))?;
    arrays::save(path, arrays, Some((key, json)))
}

/// Reads what [`write`] wrote: the arrays and header of a `what`.
pub(super) fn read<H: DeserializeOwned>(path: &Path, key: &str, what: &str) -> Result<(Arrays, H)> {
    let (arrays, mut metadata) = arrays::load(path)?;
    let json = metadata.remove(key);
    let json = json.ok_or_else(|| refused(path, format!("the file holds no {what}")))?;
    let broken = |e: serde_json::Error| refused(path, format!("the {what}'s header: {e}"));
    let Version { format } = serde_json::from_str(&json).map_err(broken)?;
    if format > FORMAT {
        let reason = format!("the file has format {format}, this program reads up to {FORMAT}");
        return Err(refused(path, reason));
    }
    Ok((arrays, serde_json::from_str(&json).map_err(broken)?))
}

pub(super) fn refused(path: &Path, reason: String) -> Error {
    Error::Snapshot {
        path: path.to_path_buf(),
        reason,
    }
}

/// Checks that every array of an optimizer has the shape of the weight it belongs to.
fn check_optimizer(specs: &[Spec], state: &OptimizerState) -> Result<(), String> {
    for (name, data) in &state.tensors {
        let spec = specs
            .iter()
            .find(|spec| name.starts_with(&format!("{}.", spec.name)));
        let shape = spec.map(Spec::matrix_shape);
        if shape.is_none_or(|shape| data.shape().as_slice() != shape) {
            let found = data.shape();
            return Err(format!(
                "optimizer's '{name}' of shape {found:?} fits no weight"
            ));
        }
    }
    Ok(())
}

fn space_difference(own: &StateSpace, file: &StateSpace) -> Option<String> {
    let names = |space: &StateSpace| {
        let names: Vec<_> = space.states().iter().map(|s| s.name.as_str()).collect();
        names.join(", ")
    };
    if names(own) != names(file) {
        return Some(format!(
            "the space has the states {}, the file's has {}",
            names(own),
            names(file)
        ));
    }
    let mut states = own.states().iter().zip(file.states());
    let (own, file) = states.find(|(own, file)| own != file)?;
    let name = &own.name;
    Some(if own.domain == file.domain {
        format!(
            "state '{name}' is decided {:?}, the file's {:?}",
            own.scope, file.scope
        )
    } else if own.values().is_ok() && file.values().is_ok() {
        let (own, file) = (&own.domain, &file.domain);
        format!("state '{name}' has values {own}, the file's has {file}")
    } else {
        let (own, file) = (&own.domain, &file.domain);
        format!("state '{name}' chooses from {own}, the file's from {file}")
    })
}

fn optimizer_state(arrays: Arrays, counters: BTreeMap<String, u64>) -> OptimizerState {
    let tensor = |(name, array): (String, Array)| {
        let name = name.trim_start_matches(OPTIMIZER).to_string();
        (name, TensorData::new(array.values, array.shape))
    };
    OptimizerState {
        tensors: arrays.into_iter().map(tensor).collect(),
        counters,
    }
}
