//! Who is told of a study as it grows.

use super::{Learned, Tested, Trial};
use crate::error::Result;

/// Follows a study as it grows. `report/` implements it for each form that a run leaves.
pub trait Recorder: Send {
    /// A trial was added.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn trial(&mut self, trial: &Trial) -> Result<()>;

    /// A controller was updated.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn learned(&mut self, _learned: &Learned) -> Result<()> {
        Ok(())
    }

    /// A network was scored on the test images.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn tested(&mut self, _tested: &Tested) -> Result<()> {
        Ok(())
    }

    /// What is held back to be written in fewer pieces is to be written now.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// The session is over.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn finish(&mut self, _ended: Ended) -> Result<()> {
        Ok(())
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The script came to its end.
    Finished,
    /// The user stopped it.
    Interrupted,
    /// The script failed.
    Failed,
}
