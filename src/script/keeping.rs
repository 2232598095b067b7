//! Where a controller is kept while it learns: a file in the run's folder, and the store. Twice a second at most, and at the
//! end of the session: a fast search would spend a third of its time on it. Knows nothing of how it learns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Host;
use crate::error::{Error, Result};
use crate::space::{Decision, StateSpace};
use crate::study::{Choice, Learned, Study, pictured};

/// How long a state may wait to be kept.
const PATIENCE: Duration = Duration::from_millis(500);

/// The share of a session's time that pictures of policies may take: one in so many parts.
const PICTURES: u32 = 50;

/// What can be kept.
pub(super) trait Kept: Send + Sync {
    /// Writes its state to a file.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn save(&self, path: &Path) -> Result<()>;
}

/// A state that is not kept yet.
pub(super) struct Unkept {
    of: Arc<dyn Kept>,
    path: PathBuf,
    step: u64,
}

/// The states of a session that are not kept yet, by the number of the controller.
#[derive(Default)]
pub(super) struct Waiting(Mutex<BTreeMap<u64, Unkept>>);

impl Waiting {
    /// Keeps them.
    ///
    /// # Errors
    /// As [`Keeping::keep`].
    pub fn keep(&self, study: &Mutex<Study>) -> Result<()> {
        let all = std::mem::take(&mut *self.0.lock());
        all.into_iter()
            .try_for_each(|(number, unkept)| unkept.keep(number, study))
    }
}

impl Unkept {
    fn keep(&self, number: u64, study: &Mutex<Study>) -> Result<()> {
        let path = &self.path;
        self.of.save(path)?;
        let state = fs::read(path).map_err(Error::io("read", path))?;
        study.lock().keep_state(number, self.step, state)
    }
}

/// The places of one controller.
pub(super) struct Keeping {
    /// Which of the study's controllers it is, from 0.
    number: u64,
    path: Option<PathBuf>,
    last: Mutex<Option<Instant>>,
    /// Since when there were pictures of the policy, and the time that they took.
    pictures: Mutex<(Instant, Duration)>,
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
        Self {
            number,
            path,
            last: Mutex::default(),
            pictures: Mutex::new((Instant::now(), Duration::ZERO)),
        }
    }

    /// What `picture` makes of the policy after some `steps`, where there is a store to keep it, one of the steps is one to
    /// [picture](pictured), and there is time for it: a search on a table makes a step in the time of some pictures.
    ///
    /// # Errors
    /// Those of `picture`.
    pub fn picture(
        &self,
        host: &Host,
        mut steps: impl Iterator<Item = u64>,
        picture: impl FnOnce() -> Result<Vec<Vec<f64>>>,
    ) -> Result<Option<Vec<Vec<f64>>>> {
        let (since, spent) = &mut *self.pictures.lock();
        let began = Instant::now();
        if *spent * PICTURES > began - *since
            || !steps.any(pictured)
            || host.study().lock().store().is_none()
        {
            return Ok(None);
        }
        let picture = picture()?;
        *spent += began.elapsed();
        Ok(Some(picture))
    }

    /// Records `updates` of the controller `of`, and keeps its state after the last of them, now or soon.
    ///
    /// # Errors
    /// Those of [`Kept::save`]; [`Error::Io`]; [`Error::Store`].
    pub fn keep(&self, host: &Host, updates: Vec<Step>, of: Arc<dyn Kept>) -> Result<()> {
        let step = updates.iter().map(|step| step.number).max().unwrap_or(0);
        let mut study = host.study().lock();
        let trials = study.trials().len();
        let learned = |step: Step| Learned {
            controller: self.number,
            step: step.number,
            trials,
            scalars: step.scalars,
            policy: step.policy,
        };
        study.learned(updates.into_iter().map(learned).collect())?;
        drop(study);
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        let unkept = Unkept { of, path, step };
        let mut waiting = host.waiting().0.lock();
        let mut last = self.last.lock();
        if last.is_some_and(|last| last.elapsed() < PATIENCE) {
            waiting.insert(self.number, unkept);
            return Ok(());
        }
        waiting.remove(&self.number);
        drop(waiting);
        *last = Some(Instant::now());
        unkept.keep(self.number, host.study())
    }

    /// Records what the controller decides.
    pub fn decides(&self, host: &Host, space: &StateSpace, layers: usize) {
        let choice = |decision: Decision| Choice {
            name: decision.label(),
            values: (0..decision.size())
                .map(|index| decision.value(index).to_string())
                .collect(),
        };
        let choices = space.decisions(layers).map(choice).collect();
        host.study().lock().decides(self.number, choices);
    }
}

/// An update of a controller.
pub(super) struct Step {
    /// How many there were, this one included.
    pub number: u64,
    /// Named numbers.
    pub scalars: Vec<(String, f64)>,
    /// The probabilities of all values afterwards, where there is a [picture](Keeping::picture).
    pub policy: Option<Vec<Vec<f64>>>,
}
