//! From a candidate to its questions, and to what is known of them: by the study's record, by the store, by a table.
//! Knows nothing of how the rest is trained.

use std::collections::BTreeMap;
use std::num::NonZero;

use super::answers::{Part, Place};
use super::shared::check_terms;
use super::{Candidate, Evaluated, NetworkManager, Source, Subject, Terms, Training, child_seed};
use crate::error::{Error, Result};
use crate::evaluation::{DataKey, Evaluation, Failure, FailureKind};
use crate::network::{Digest, Network};
use crate::seed::Seed;

/// What is still to be trained for the candidates of one call; what is asked twice is one job.
#[derive(Default)]
pub(super) struct Needed {
    pub asked: Vec<Evaluation>,
    of: BTreeMap<Digest, usize>,
}

impl Needed {
    fn job(&mut self, asked: Evaluation) -> usize {
        let jobs = &mut self.asked;
        *self.of.entry(asked.digest()).or_insert_with(|| {
            jobs.push(asked);
            jobs.len() - 1
        })
    }
}

impl NetworkManager {
    /// From how many seeds a candidate is evaluated.
    fn repeats(&self, terms: Terms) -> usize {
        terms
            .repeats
            .or(self.config.repeats)
            .map_or(1, NonZero::get)
    }

    /// What is known of `candidate`, and what is still needed for it.
    pub(super) fn place(&self, candidate: Candidate, needed: &mut Needed) -> Result<Place> {
        let mut study = self.study.lock();
        let mut evaluated = Evaluated::new(study.next_ask(), candidate);
        let seeds = (0..self.repeats(evaluated.candidate.terms)).map(|n| child_seed(&study, n));
        let seeds: Vec<Seed> = seeds.collect();
        let refused = self.ask(&mut evaluated, seeds[0])?;
        if let Some(recorded) = study.recall(&evaluated.question())? {
            let digests = seeds
                .iter()
                .filter_map(|seed| self.digest(&evaluated, *seed));
            digests.for_each(|digest| {
                study.asks_again(digest);
            });
            evaluated.recorded = Some(Box::new(recorded));
            evaluated.recall();
            return Ok(Place::known(evaluated));
        }
        if let Some(failure) = refused {
            return Ok(Place::known(evaluated.failed(failure)));
        }
        if let (Source::Shared(shared), Subject::Network(Ok(network))) =
            (&self.source, &evaluated.candidate.subject)
        {
            evaluated.outcome = shared.outcome(network)?;
            return Ok(Place::known(evaluated));
        }
        let repeats = seeds.len();
        let mut parts = Vec::with_capacity(repeats);
        let mut cached = true;
        for seed in seeds {
            let (part, known) = match (&self.source, &evaluated.asked, evaluated.row()) {
                // The first seed's answer is there already.
                (Source::Table(_), _, Some(_)) if repeats == 1 => {
                    evaluated.cached = evaluated.digest.is_some_and(|d| study.asks_again(d));
                    return Ok(Place::known(evaluated));
                }
                (Source::Table(table), _, Some(row)) => match table.answer(row, seed) {
                    Ok(answer) => {
                        let again = study.asks_again(answer.digest);
                        (Part::Known(answer.outcome), again)
                    }
                    Err(failure) => return Ok(Place::known(evaluated.failed(failure))),
                },
                (_, Some(asked), _) => {
                    let asked = asked.with_seed(seed);
                    let digest = asked.digest();
                    let twin = needed.of.contains_key(&digest);
                    match study.outcome(&digest)? {
                        Some(known) => (Part::Known(known.outcome), twin || known.cached),
                        None => (Part::Job(needed.job(asked)), twin),
                    }
                }
                _ => continue,
            };
            cached &= known;
            parts.push(part);
        }
        evaluated.cached = cached;
        Ok(Place { evaluated, parts })
    }

    /// The key of what `evaluated` asks from `seed`.
    fn digest(&self, evaluated: &Evaluated, seed: Seed) -> Option<Digest> {
        match (&self.source, &evaluated.asked, evaluated.row()) {
            (Source::Table(table), _, Some(row)) => Some(table.answer(row, seed).ok()?.digest),
            (_, Some(asked), _) => Some(asked.with_seed(seed).digest()),
            _ => None,
        }
    }

    /// Writes into `evaluated` what it asks first, from `seed`, or returns why it asks nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a table is asked for a network, or a data set for a row.
    fn ask(&self, evaluated: &mut Evaluated, seed: Seed) -> Result<Option<Failure>> {
        match (&evaluated.candidate.subject, &self.source) {
            (Subject::Network(Err(message)), _) => {
                Ok(Some(Failure::new(FailureKind::Invalid, message)))
            }
            (Subject::Network(Ok(network)), Source::Shared(shared)) => {
                check_terms(evaluated.candidate.terms)?;
                evaluated.outcome.params = network.params();
                evaluated.outcome.macs = network.macs();
                evaluated.digest = Some(shared.digest(network));
                let as_one = shared.training().question(network, None, seed);
                Ok(self.config.exceeded(&as_one))
            }
            (Subject::Network(Ok(network)), _) => {
                let epochs = evaluated.candidate.terms.epochs;
                let asked = self.training()?.question(network, epochs, seed);
                let failure = self.config.exceeded(&asked);
                evaluated.outcome.params = network.params();
                evaluated.outcome.macs = network.macs();
                evaluated.digest = Some(asked.digest());
                evaluated.asked = Some(asked);
                Ok(failure)
            }
            (Subject::Row(row), Source::Table(table)) => Ok(match table.answer(row, seed) {
                Ok(answer) => {
                    evaluated.digest = Some(answer.digest);
                    evaluated.score = Some(answer.score);
                    evaluated.outcome = answer.outcome;
                    None
                }
                Err(failure) => Some(failure),
            }),
            (Subject::Row(row), _) => {
                Err(Error::invalid("evaluate", "a network", format!("'{row}'")))
            }
        }
    }
}

impl Training {
    /// What is asked when `network` is evaluated, over so many `epochs` or those of the settings.
    pub(super) fn question(
        &self,
        network: &Network,
        epochs: Option<NonZero<usize>>,
        seed: Seed,
    ) -> Evaluation {
        let mut training = self.config.clone();
        training.epochs = epochs.map_or(training.epochs, NonZero::get);
        Evaluation {
            network: network.clone(),
            data: DataKey {
                name: self.data.name().into(),
                split: self.data.split_key(),
                content: self.data.content_hash().into(),
            },
            training,
            seed,
        }
    }
}
