//! What a training leaves behind to be continued from, and its file. Knows nothing of how a child is
//! trained, nor of where checkpoints are kept.

use std::path::Path;

use super::stopping::stopped;
use super::weights::Weights;
use crate::arrays::{self, Arrays};
use crate::error::{Error, Result};
use crate::evaluation::{Digest, Epoch, Evaluation};

/// The key of [`About`] in a file's metadata.
const ABOUT: &str = "checkpoint";
/// What the names of the arrays in a file begin with.
const LAST: &str = "last.";
const BEST: &str = "best.";
const OPTIMIZER: &str = "optimizer.";

/// The end of a training: everything that more epochs of the same child depend on.
///
/// No generator is part of it, since the draws of an epoch follow from the seed and the epoch alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(super) about: About,
    /// The weights after the last epoch.
    pub(super) last: Weights,
    /// Those of the best epoch, where it is not the last.
    pub(super) best: Option<Weights>,
    /// What the optimizer remembers, by the number of the parameter and the kind of memory.
    pub(super) memories: Arrays,
}

/// The part of a checkpoint that is no array.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// See [`Checkpoint::child`].
    pub child: Digest,
    /// The epochs that were asked for; there are fewer after an early stop.
    pub asked: usize,
    /// The updates that the optimizer made.
    pub updates: usize,
    /// The finished epochs, at least one.
    pub history: Vec<Epoch>,
}

impl Checkpoint {
    /// The number of finished epochs, from 1.
    pub fn epochs(&self) -> usize {
        self.about.history.len()
    }

    /// The [`child_digest`](Evaluation::child_digest) of its evaluation.
    pub fn child(&self) -> Digest {
        self.about.child
    }

    /// The weights of the best epoch, those that the evaluations that it [answers](Self::answers) come to.
    pub fn weights(&self) -> &Weights {
        self.best.as_ref().unwrap_or(&self.last)
    }

    /// Whether the training of `evaluation` can start here, so that it ends as if it had been trained
    /// without a break.
    ///
    /// Its number of epochs may be higher, unless the cosine schedule or a linear drop path depend on
    /// it: then the first epochs of a longer training are others.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot, with the reason.
    pub fn check(&self, evaluation: &Evaluation) -> Result<()> {
        let (done, asked) = (self.epochs(), evaluation.training.epochs);
        let refuse = |expected: String, found: String| {
            Err(Error::invalid("continued training", expected, found))
        };
        if self.about.child != evaluation.child_digest() {
            return refuse(
                "the network, data, seed and settings of the checkpoint, but for the epochs".into(),
                "others".into(),
            );
        }
        if asked < done {
            return refuse(format!("at least {done} epochs"), asked.to_string());
        }
        match evaluation.total_epochs_matter() {
            Some(what) if asked != self.about.asked => refuse(
                format!(
                    "{} epochs, since the {what} depends on their number",
                    self.about.asked
                ),
                asked.to_string(),
            ),
            _ => Ok(()),
        }
    }

    /// Whether the training of `evaluation` ends here, so that [`weights`](Self::weights) are what it comes to.
    pub fn answers(&self, evaluation: &Evaluation) -> bool {
        let asked = &evaluation.training;
        let ended = || stopped(&self.about.history, asked, &[]).is_some();
        self.check(evaluation).is_ok() && (self.epochs() == asked.epochs || ended())
    }

    /// Writes a safetensors file; whoever reads `path` meanwhile sees the old file or the new one,
    /// never a part.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let about = serde_json::to_string(&self.about).map_err(std::io::Error::from);
        let about = about.map_err(Error::io("write", path))?;
        let parts = [
            (LAST, Some(self.last.arrays())),
            (BEST, self.best.as_ref().map(Weights::arrays)),
            (OPTIMIZER, Some(&self.memories)),
        ];
        let mut arrays = Arrays::new();
        for (prefix, part) in parts {
            let named =
                |(name, array): (&String, &_)| (format!("{prefix}{name}"), Clone::clone(array));
            arrays.extend(part.into_iter().flatten().map(named));
        }
        arrays::save(path, &arrays, Some((ABOUT, about)))
    }

    /// Reads a safetensors file. Whether it is of a certain child, [`check`](Self::check) tells.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Snapshot`] where it is no checkpoint.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let refuse = |reason: String| Error::Snapshot {
            path: path.to_path_buf(),
            reason,
        };
        let (arrays, metadata) = arrays::load(path)?;
        let about = metadata
            .get(ABOUT)
            .ok_or_else(|| refuse("no checkpoint".into()))?;
        let about: About = serde_json::from_str(about)
            .map_err(|error| refuse(format!("no checkpoint: {error}")))?;
        if about.history.is_empty() {
            return Err(refuse("a checkpoint without an epoch".into()));
        }
        let (mut last, mut best, mut memories) = (Arrays::new(), Arrays::new(), Arrays::new());
        for (name, array) in arrays {
            let parts = [
                (LAST, &mut last),
                (BEST, &mut best),
                (OPTIMIZER, &mut memories),
            ];
            let part = parts
                .into_iter()
                .find_map(|(prefix, part)| Some((name.strip_prefix(prefix)?.to_string(), part)));
            match part {
                Some((name, part)) => part.insert(name, array),
                None => return Err(refuse(format!("no checkpoint: '{name}' is unknown"))),
            };
        }
        Ok(Self {
            about,
            last: Weights::from_arrays(last)?,
            best: match best.is_empty() {
                true => None,
                false => Some(Weights::from_arrays(best)?),
            },
            memories,
        })
    }
}
