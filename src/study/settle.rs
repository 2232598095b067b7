//! What controllers learnt and what was measured, on its way to the store and the recorders. No search depends on it, so some
//! of it waits, to be written in few pieces.

use std::time::{Duration, Instant};

use super::{Choice, Learned, Learning, Study, Tested};
use crate::error::Result;

/// How long what no search depends on may wait, so that one write has many trials and updates.
const PATIENCE: Duration = Duration::from_millis(500);

impl Study {
    /// Keeps what the `controller`-th controller decides, if there is a store.
    pub fn decides(&mut self, controller: u64, choices: Vec<Choice>) {
        if self.keeper.is_some() {
            self.learning.controllers.insert(controller, choices);
        }
    }

    /// Keeps the `state` of the `controller`-th controller after so many updates, in place of an earlier one.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn keep_state(&mut self, controller: u64, step: u64, state: Vec<u8>) -> Result<()> {
        // An earlier session kept a later state.
        if self.keeper.is_none() || self.replaying() {
            return Ok(());
        }
        let states = &mut self.learning.states;
        states.insert(controller, (step, state));
        self.settle_soon()
    }

    /// Passes updates of a controller on to the recorders and to the store.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn learned(&mut self, updates: Vec<Learned>) -> Result<()> {
        for learned in &updates {
            let mut recorders = self.recorders.iter_mut();
            recorders.try_for_each(|recorder| recorder.learned(learned))?;
        }
        if self.keeper.is_some() {
            self.learning.updates.extend(updates);
        }
        self.settle_soon()
    }

    /// Writes what waits to be written, unless that was done a moment ago.
    pub(super) fn settle_soon(&mut self) -> Result<()> {
        let waited = self.settled.is_none_or(|last| last.elapsed() > PATIENCE);
        match waited {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// Writes what waits to be written: what controllers learnt, to the store, and what recorders hold. Whoever does
    /// something that takes long calls it first, so that those who look meanwhile see all.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn settle(&mut self) -> Result<()> {
        if let Some(keeper) = self.keeper.as_ref().filter(|_| !self.learning.is_empty()) {
            keeper.tenure.keep_learning(&self.learning)?;
            self.learning = Learning::default();
        }
        self.recorders
            .iter_mut()
            .try_for_each(|recorder| recorder.flush())?;
        self.settled = Some(Instant::now());
        Ok(())
    }

    /// Keeps the score of a network on the test images.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn tested(&mut self, tested: &Tested) -> Result<()> {
        if let Some(keeper) = &self.keeper {
            keeper.tenure.keep_test(tested)?;
        }
        let mut recorders = self.recorders.iter_mut();
        recorders.try_for_each(|recorder| recorder.tested(tested))
    }
}
