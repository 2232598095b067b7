//! What a study recorded in earlier sessions, to be answered again: a script that is run once more arrives
//! where it stopped. Knows nothing of stores.

use std::collections::{BTreeMap, VecDeque};

use super::store::Fact;
use super::trial::architecture;
use super::{Decisions, Trial};
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::network::Digest;
use crate::space::Actions;

/// What happens where the script asks for something else than was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divergence {
    /// It is an error.
    #[default]
    Refuse,
    /// The rest of the record is dropped, and the script goes on: for a study that shares a prefix with another.
    Fork,
}

/// The recorded trials and facts of a study.
#[derive(Default)]
pub struct Past {
    trials: Vec<Trial>,
    /// The position of the trial of each question.
    asks: BTreeMap<u64, usize>,
    facts: VecDeque<Fact>,
    divergence: Divergence,
}

/// One question, as it is compared with the record.
pub struct Question<'a> {
    /// Which one it is, from 1.
    pub ask: u64,
    /// What was decided.
    pub actions: Option<&'a Actions>,
    /// The key.
    pub digest: Option<Digest>,
    /// What is asked of a child.
    pub evaluation: Option<&'a Evaluation>,
    /// The row of a table.
    pub row: Option<&'a str>,
}

impl Past {
    /// The record of a study.
    pub fn new(trials: Vec<Trial>, facts: Vec<Fact>, divergence: Divergence) -> Self {
        let asks = trials.iter().enumerate();
        Self {
            asks: asks.map(|(index, trial)| (trial.ask, index)).collect(),
            trials,
            facts: facts.into(),
            divergence,
        }
    }

    /// The recorded trials.
    pub(super) fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The trial that answered `question`, if it was recorded.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the record has another question there.
    pub(super) fn recall(&mut self, question: &Question) -> Result<Option<&Trial>> {
        let Some(&index) = self.asks.get(&question.ask) else {
            return Ok(None);
        };
        let trial = &self.trials[index];
        let decided = question.actions.map(Decisions::from).map(|d| d.decided);
        let same = trial.first_digest() == question.digest
            && trial.actions.as_ref().map(|a| &a.decided) == decided.as_ref();
        if same {
            return Ok(Some(&self.trials[index]));
        }
        let (recorded, asked) = differing(trial, question);
        self.diverge(index, recorded, asked)?;
        Ok(None)
    }

    /// The trial that was recorded as the `number`-th, if `now` is the same one. What differs from run to run
    /// (seconds) is not compared.
    ///
    /// # Errors
    /// [`Error::Diverged`] where it is another trial, or has another reward.
    pub(super) fn trial(&mut self, now: &Trial) -> Result<Option<Trial>> {
        let index = now.number - 1;
        let Some(then) = self.trials.get(index) else {
            return Ok(None);
        };
        let described = |trial: &Trial| {
            let failed = trial.outcome.failure.as_ref();
            let failed = failed.map_or(String::new(), |failure| format!(" ({})", failure.kind));
            format!(
                "{} with reward {}{failed}",
                trial.architecture(),
                trial.reward
            )
        };
        let same = then.ask == now.ask
            && then.digest == now.digest
            && then.skipped == now.skipped
            && then.reward.to_bits() == now.reward.to_bits();
        if same {
            return Ok(Some(then.clone()));
        }
        let (recorded, asked) = (described(then), described(now));
        self.diverge(index, recorded, asked)?;
        Ok(None)
    }

    /// The question that the `number`-th trial answered, if it was recorded.
    pub(super) fn ask_of(&self, number: usize) -> Option<u64> {
        self.trials.get(number - 1).map(|trial| trial.ask)
    }

    /// The next fact, which must answer `question`.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the record has another question there.
    pub(super) fn fact(&mut self, kind: &str, question: &str) -> Result<Option<serde_json::Value>> {
        let Some(fact) = self.facts.front() else {
            return Ok(None);
        };
        if (fact.kind.as_str(), fact.question.as_str()) == (kind, question) {
            return Ok(self.facts.pop_front().map(|fact| fact.answer));
        }
        let error = Error::Diverged {
            place: format!("a measured {}", fact.kind),
            recorded: fact.question.clone(),
            asked: format!("{kind} of {question}"),
        };
        match self.divergence {
            Divergence::Refuse => Err(error),
            Divergence::Fork => {
                self.facts.clear();
                Ok(None)
            }
        }
    }

    /// Refuses what is asked in place of the trial at `index`, or forgets the record from there on.
    fn diverge(&mut self, index: usize, recorded: String, asked: String) -> Result<()> {
        match self.divergence {
            Divergence::Refuse => Err(Error::Diverged {
                place: format!("trial {}", index + 1),
                recorded,
                asked,
            }),
            Divergence::Fork => {
                self.trials.truncate(index);
                self.asks.retain(|_, at| *at < index);
                Ok(())
            }
        }
    }
}

/// What was recorded and what is asked, so that people see the difference.
fn differing(trial: &Trial, question: &Question) -> (String, String) {
    let then = trial.architecture();
    let decided = question.actions.map(Decisions::from);
    let now = architecture(decided.as_ref(), question.evaluation, question.row);
    if then != now {
        return (then, now);
    }
    let (Some(a), Some(b)) = (trial.evaluation.as_ref(), question.evaluation) else {
        let key = |digest: Option<Digest>| digest.map_or("nothing".into(), |d| d.short());
        let with = |name: String, digest| format!("{name} as {}", key(digest));
        return (with(then, trial.first_digest()), with(now, question.digest));
    };
    let parts = |asked: &Evaluation| {
        let training = serde_json::to_value(&asked.training).unwrap_or_default();
        let mut parts = vec![
            ("data".to_string(), asked.data.name.clone()),
            ("split".into(), asked.data.split.clone()),
            ("data content".into(), asked.data.content.clone()),
            ("network".into(), asked.network.digest().short()),
            ("seed".into(), asked.seed.0.to_string()),
        ];
        let settings = training.as_object().into_iter().flatten();
        parts.extend(settings.map(|(name, value)| (name.clone(), value.to_string())));
        parts.into_iter().collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (parts(a), parts(b));
    let names: Vec<&String> = a.keys().chain(b.keys()).collect();
    let differs = names.into_iter().find(|name| a.get(*name) != b.get(*name));
    let with = |parts: &BTreeMap<String, String>| {
        let value = differs.and_then(|name| Some(format!("{name} {}", parts.get(name)?)));
        format!(
            "{then} with {}",
            value.unwrap_or_else(|| "the default".into())
        )
    };
    (with(&a), with(&b))
}
