//! Where the weights of children are kept between evaluations. Knows nothing of how they are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::child::{Checkpoint, Weights};
use crate::error::{Error, Result};
use crate::evaluation::{Digest, Evaluation};

/// What children leave besides their outcomes: a checkpoint a child, by its
/// [`child_digest`](Evaluation::child_digest), or only weights, by the evaluation's
/// [`digest`](Evaluation::digest). A cache: what is missing or cannot be read costs time, and changes no result.
pub enum Files {
    /// Safetensors files in a folder, which may be shared by several machines.
    Folder(PathBuf),
    /// The last checkpoint of each child in memory, for a study that is not stored.
    Memory(Mutex<BTreeMap<Digest, Arc<Checkpoint>>>),
}

impl Files {
    /// The furthest checkpoint of the child of `asked`.
    pub fn checkpoint(&self, asked: &Evaluation) -> Option<Arc<Checkpoint>> {
        let child = asked.child_digest();
        match self {
            Self::Folder(folder) => {
                let read = Checkpoint::load(folder.join(checkpoint_name(&child)));
                read.ok().map(Arc::new)
            }
            Self::Memory(kept) => kept.lock().get(&child).cloned(),
        }
    }

    /// Keeps `checkpoint` in place of an earlier one of the same child. Returns its path in the folder.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn keep_checkpoint(&self, checkpoint: Checkpoint) -> Result<String> {
        let child = checkpoint.child();
        let name = checkpoint_name(&child);
        match self {
            Self::Folder(folder) => checkpoint.save(prepared(folder.join(&name))?)?,
            Self::Memory(kept) => {
                kept.lock().insert(child, Arc::new(checkpoint));
            }
        }
        Ok(name)
    }

    /// Keeps the weights that answer `asked`. Returns their path in the folder; in memory only checkpoints are
    /// kept.
    ///
    /// # Errors
    /// [`Error::Io`] where they cannot be written.
    pub fn keep_weights(&self, asked: &Evaluation, weights: &Weights) -> Result<Option<String>> {
        let Self::Folder(folder) = self else {
            return Ok(None);
        };
        let name = weights_name(&asked.digest());
        weights.save(prepared(folder.join(&name))?)?;
        Ok(Some(name))
    }

    /// The file in the folder that the child of `asked` left: its weights, else its checkpoint.
    pub fn file(&self, asked: &Evaluation) -> Option<String> {
        let Self::Folder(folder) = self else {
            return None;
        };
        let names = [
            weights_name(&asked.digest()),
            checkpoint_name(&asked.child_digest()),
        ];
        names.into_iter().find(|name| folder.join(name).is_file())
    }

    /// The weights that answer `asked`, those of its best epoch: from their file, else from a checkpoint
    /// where its training ended.
    pub fn weights(&self, asked: &Evaluation) -> Option<Weights> {
        if let Self::Folder(folder) = self
            && let Ok(weights) = Weights::load(folder.join(weights_name(&asked.digest())))
        {
            return Some(weights);
        }
        let checkpoint = self.checkpoint(asked)?;
        checkpoint
            .answers(asked)
            .then(|| checkpoint.weights().clone())
    }
}

/// Makes the folder of `path`.
fn prepared(path: PathBuf) -> Result<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
    Ok(path)
}

fn checkpoint_name(child: &Digest) -> String {
    format!("checkpoints/{child}.safetensors")
}

fn weights_name(evaluation: &Digest) -> String {
    format!("weights/{evaluation}.safetensors")
}
