//! Looking at studies while others work on them.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::hold::Hold;
use super::{SqlStore, parsed};
use crate::error::Result;
use crate::study::store::{Looks, Work};
use crate::study::{Brief, Choice, Learned, Tested, Trial};

impl Looks for SqlStore {
    fn trial(&self, study: i64, number: usize) -> Result<Option<Trial>> {
        let before = number.saturating_sub(1);
        let found = self.trials_after(study, before, 1)?.into_iter().next();
        Ok(found.filter(|trial| trial.number == number))
    }

    fn trials_after(&self, study: i64, after: usize, most: usize) -> Result<Vec<Trial>> {
        self.some(study, after, most)
    }

    fn briefs_after(&self, study: i64, after: usize, most: usize) -> Result<Vec<Brief>> {
        self.some(study, after, most)
    }

    fn controllers(&self, study: i64) -> Result<BTreeMap<u64, Vec<Choice>>> {
        let all = "select controller, choices from controllers where study = $1";
        let all = self.database.call(async |connection| {
            let all = self.database.dialect.rows::<(i64, String)>(all);
            Ok(all.bind(study).fetch_all(connection).await?)
        })?;
        let choices = |(controller, text): (i64, String)| {
            let choices = parsed(&self.database, &format!("controller {controller}"), &text)?;
            Ok((controller.cast_unsigned(), choices))
        };
        all.into_iter().map(choices).collect()
    }

    fn updates_after(
        &self,
        study: i64,
        controller: u64,
        after: u64,
        most: usize,
    ) -> Result<Vec<Learned>> {
        type Row = (i64, i64, String, Option<String>);
        let some = "select step, trials, scalars, policy from updates \
                    where study = $1 and controller = $2 and step > $3 order by step limit $4";
        let some = self.database.call(async |connection| {
            let some = self.database.dialect.rows::<Row>(some);
            let some = some.bind(study).bind(controller.cast_signed());
            let some = some.bind(after.cast_signed()).bind(most as i64);
            Ok(some.fetch_all(connection).await?)
        })?;
        let learned = |(step, trials, scalars, policy): Row| {
            let what = format!("update {step}");
            let policy = policy.map(|text| parsed(&self.database, &what, &text));
            Ok(Learned {
                controller,
                step: step.cast_unsigned(),
                trials: usize::try_from(trials).unwrap_or_default(),
                scalars: parsed(&self.database, &what, &scalars)?,
                policy: policy.transpose()?,
            })
        };
        some.into_iter().map(learned).collect()
    }

    fn tests(&self, study: i64) -> Result<Vec<Tested>> {
        let all = "select tested from tests where study = $1 order by recorded";
        let all = self.database.call(async |connection| {
            let all = self.database.dialect.rows::<(String,)>(all);
            Ok(all.bind(study).fetch_all(connection).await?)
        })?;
        let tested = |(text,): (String,)| parsed(&self.database, "a test", &text);
        all.into_iter().map(tested).collect()
    }

    fn is_held(&self, study: i64) -> Result<bool> {
        Hold::is_held(&self.database, study)
    }

    fn work(&self, study: i64, most: usize) -> Result<Vec<Work>> {
        type Row = (
            i64,
            String,
            i64,
            Option<String>,
            Option<String>,
            Option<String>,
            f64,
            Option<f64>,
        );
        let current = "select id, state, attempts, worker, progress, error, {now} - changed, lease_until - {now} \
                       from jobs where study = $1 and (state in ('running', 'ready') or id in \
                       (select id from jobs where study = $1 and state = 'dead' order by changed desc limit $2)) \
                       order by changed desc, id";
        let current = self.database.call(async |connection| {
            let current = self.database.dialect.rows::<Row>(current);
            let current = current.bind(study).bind(most as i64);
            Ok(current.fetch_all(connection).await?)
        })?;
        let work = |row: Row| {
            let (id, state, attempts, worker, progress, error, age, lease) = row;
            Ok(Work {
                id,
                state: parsed(
                    &self.database,
                    &format!("job {id}"),
                    &format!("\"{state}\""),
                )?,
                attempts: attempts as u32,
                worker,
                progress,
                error,
                age,
                lease,
            })
        };
        current.into_iter().map(work).collect()
    }
}

impl SqlStore {
    /// At most `most` trials that follow the `after`-th, read as `T`.
    fn some<T: DeserializeOwned + Send>(
        &self,
        study: i64,
        after: usize,
        most: usize,
    ) -> Result<Vec<T>> {
        let some = "select number, trial from trials where study = $1 and number > $2 \
                    order by number limit $3";
        let some = self.database.call(async |connection| {
            let some = self.database.dialect.rows::<(i64, String)>(some);
            let some = some.bind(study).bind(after as i64).bind(most as i64);
            Ok(some.fetch_all(connection).await?)
        })?;
        let trial = |(number, text): (i64, String)| {
            parsed(&self.database, &format!("trial {number}"), &text)
        };
        some.into_par_iter().map(trial).collect()
    }
}
