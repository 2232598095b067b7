//! Where the checkpoints of children are kept between evaluations. Knows nothing of how they are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::child::Checkpoint;
use crate::error::{Error, Result};
use crate::network::Digest;
use crate::study::Study;

/// The folder of the checkpoints in a run's folder.
const FOLDER: &str = "checkpoints";

/// The last checkpoint of each child, by its
/// [`child_digest`](crate::evaluation::Evaluation::child_digest).
pub enum Checkpoints {
    /// A file a child, `<digest>.safetensors`.
    Folder(PathBuf),
    /// In memory, for a study that has no folder.
    Memory(Mutex<BTreeMap<Digest, Arc<Checkpoint>>>),
}

impl Checkpoints {
    /// The checkpoints of `study`, in the run's folder if there is one.
    pub fn of(study: &Study) -> Self {
        match study.folder() {
            Some(folder) => Self::Folder(folder.file(FOLDER)),
            None => Self::Memory(Mutex::default()),
        }
    }

    /// The checkpoint of `child`. A file that cannot be read is none: all that it costs is time.
    pub fn get(&self, child: &Digest) -> Option<Arc<Checkpoint>> {
        match self {
            Self::Folder(folder) => {
                let read = Checkpoint::load(folder.join(file_name(child)));
                read.ok().map(Arc::new)
            }
            Self::Memory(kept) => kept.lock().get(child).cloned(),
        }
    }

    /// Keeps `checkpoint` in place of an earlier one of the same child.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn keep(&self, checkpoint: Checkpoint) -> Result<()> {
        let child = checkpoint.child();
        match self {
            Self::Folder(folder) => {
                fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
                checkpoint.save(folder.join(file_name(&child)))
            }
            Self::Memory(kept) => {
                kept.lock().insert(child, Arc::new(checkpoint));
                Ok(())
            }
        }
    }
}

fn file_name(child: &Digest) -> String {
    format!("{child}.safetensors")
}
