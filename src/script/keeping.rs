//! Where a controller is kept after each update: a file in the run's folder, and the store. Knows nothing of what
//! it keeps.

use std::fs;
use std::path::{Path, PathBuf};

use super::Host;
use crate::error::{Error, Result};
use crate::study::Study;

/// The places of one controller.
pub(super) struct Keeping {
    /// Which of the study's controllers it is, from 0.
    number: u64,
    path: Option<PathBuf>,
}

impl Keeping {
    /// The places of the `number`-th controller of `study`: `controller.safetensors` in the run's folder, if there is
    /// one, then `controller-2.safetensors` and so on.
    pub fn new(number: u64, study: &Study) -> Self {
        let name = match number {
            0 => "controller.safetensors".into(),
            _ => format!("controller-{}.safetensors", number + 1),
        };
        let path = study.file(name);
        Self { number, path }
    }

    /// Keeps what `save` writes, the state after so many updates.
    ///
    /// # Errors
    /// Those of `save`; [`Error::Io`]; [`Error::Store`].
    pub fn keep(
        &self,
        host: &Host,
        step: u64,
        save: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        save(path)?;
        let study = host.study().lock();
        if study.store().is_none() || study.replaying() {
            return Ok(());
        }
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        study.keep_snapshot(self.number, step, &bytes)
    }
}
