//! Adding to a study, by its holder alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::AnyConnection;

use super::hold::Hold;
use super::json;
use crate::error::{Error, Result};
use crate::study::store::database::Database;
use crate::study::store::dialect::Dialect;
use crate::study::store::retry::Refusal;
use crate::study::store::{Fact, Tenure};
use crate::study::{Learned, Learning, Tested, Trial};

/// The right to add to a study, until its term is over.
pub(super) struct SqlTenure {
    pub(super) database: Arc<Database>,
    pub(super) study: i64,
    pub(super) name: String,
    pub(super) term: i64,
    /// The number of the last fact.
    pub(super) facts: AtomicI64,
    pub(super) _hold: Hold,
}

impl SqlTenure {
    /// Carries out `work` in a transaction during which nobody can take the study.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a closure is written in its place"
    )]
    fn write<T>(&self, work: impl AsyncFn(&mut AnyConnection) -> Result<T, Refusal>) -> Result<T> {
        let fence = "select term from studies where id = $1 and term = $2 {lock}";
        self.database.transact(async |connection| {
            let fence = self.database.dialect.rows::<(i64,)>(fence);
            let fence = fence.bind(self.study).bind(self.term);
            if fence.fetch_optional(&mut *connection).await?.is_none() {
                return Err(self.taken().into());
            }
            work(connection).await
        })
    }

    fn taken(&self) -> Error {
        Error::Taken {
            study: self.name.clone(),
        }
    }
}

impl Tenure for SqlTenure {
    fn study(&self) -> i64 {
        self.study
    }

    fn append(&self, trial: &Trial) -> Result<()> {
        let text = json(&self.database, trial)?;
        let number = trial.number as i64;
        let failure = trial.outcome.failure.as_ref();
        // The score goes as text: a statement keeps the type that it was first prepared with, and that of a
        // missing number is another than a number's.
        let add = "insert into trials (study, number, digest, actions, reward, score, failure, cached, \
                   recorded, trial) \
                   select $1, $2, $3, $4, $5, cast($6 as double precision), $7, $8, {now}, $9 \
                   where $2 = (select coalesce(max(number), 0) + 1 from trials where study = $1) \
                   and exists (select 1 from studies where id = $1 and term = $10)";
        let add = async |connection: &mut AnyConnection| -> Result<bool, Refusal> {
            let add = self.database.dialect.sql(add);
            let added = add
                .bind(self.study)
                .bind(number)
                .bind(trial.digest.map(|digest| digest.to_string()))
                .bind(
                    trial
                        .actions
                        .as_ref()
                        .map(|actions| actions.summary.clone()),
                )
                .bind(trial.reward)
                .bind(trial.score.map(|score| score.to_string()))
                .bind(failure.map(ToString::to_string))
                .bind(i64::from(trial.cached))
                .bind(text.as_str())
                .bind(self.term)
                .execute(connection)
                .await?;
            Ok(added.rows_affected() == 1)
        };
        // One statement is a transaction of its own, and a quarter of the way. A server has to be told to wait for its disk.
        if self.database.dialect == Dialect::Sqlite
            && self
                .database
                .call(async |connection| add(connection).await)?
        {
            return Ok(());
        }
        self.write(async |connection| {
            if add(&mut *connection).await? {
                return Ok(());
            }
            let there = "select trial from trials where study = $1 and number = $2";
            let there = self.database.dialect.rows::<(String,)>(there);
            let there = there.bind(self.study).bind(number);
            match there.fetch_optional(connection).await? {
                // This call wrote it before, and the answer was lost.
                Some((recorded,)) if recorded == text => Ok(()),
                Some(_) => Err(self.taken().into()),
                None => {
                    let reason = format!(
                        "trial {number} of study '{}' does not follow its last one",
                        self.name
                    );
                    Err(self.database.refuses(reason).into())
                }
            }
        })
    }

    fn note(&self, fact: &Fact) -> Result<()> {
        let answer = json(&self.database, &fact.answer)?;
        let number = self.facts.fetch_add(1, Ordering::Relaxed) + 1;
        let add = "insert into facts (study, number, kind, question, answer) \
                   values ($1, $2, $3, $4, $5) on conflict (study, number) do nothing";
        self.write(async |connection| {
            let add = self.database.dialect.sql(add);
            add.bind(self.study)
                .bind(number)
                .bind(fact.kind.as_str())
                .bind(fact.question.as_str())
                .bind(answer.as_str())
                .execute(connection)
                .await?;
            Ok(())
        })
    }

    fn keep_learning(&self, learning: &Learning) -> Result<()> {
        let choices = "insert into controllers (study, controller, choices) values ($1, $2, $3) \
                       on conflict (study, controller) do nothing";
        // All rows in one statement: each statement is a hop to another thread, or to a server.
        let updates = "insert into updates (study, controller, step, trials, recorded, scalars, policy) \
                       select $1, cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
                       cast(value ->> 2 as bigint), {now}, value ->> 3, value ->> 4 from {elements} where true \
                       on conflict (study, controller, step) do nothing";
        let state = "insert into snapshots (study, controller, step, state) values ($1, $2, $3, $4) \
                     on conflict (study, controller) do update \
                     set step = excluded.step, state = excluded.state";
        let dialect = self.database.dialect;
        self.write(async |connection| {
            for (controller, decides) in &learning.controllers {
                let choices = dialect.sql(choices).bind(self.study);
                let choices = choices.bind(controller.cast_signed());
                let choices = choices.bind(json(&self.database, decides)?);
                choices.execute(&mut *connection).await?;
            }
            if !learning.updates.is_empty() {
                let rows = learning.updates.iter().map(row).collect::<Vec<_>>();
                let updates = dialect.sql(updates).bind(self.study);
                let updates = updates.bind(json(&self.database, &rows)?);
                updates.execute(&mut *connection).await?;
            }
            for (controller, (step, bytes)) in &learning.states {
                let state = dialect.sql(state).bind(self.study);
                let state = state.bind(controller.cast_signed());
                let state = state.bind(step.cast_signed()).bind(bytes.as_slice());
                state.execute(&mut *connection).await?;
            }
            Ok(())
        })
    }

    fn keep_test(&self, tested: &Tested) -> Result<()> {
        let keep = "insert into tests (study, digest, recorded, tested) values ($1, $2, {now}, $3) \
                    on conflict (study, digest) do update \
                    set recorded = excluded.recorded, tested = excluded.tested";
        let text = json(&self.database, tested)?;
        self.write(async |connection| {
            let keep = self.database.dialect.sql(keep).bind(self.study);
            let keep = keep.bind(tested.network.to_string()).bind(text.as_str());
            keep.execute(connection).await?;
            Ok(())
        })
    }
}

/// An update as a row of JSON: the controller, the step, the trials, the scalars, the policy.
fn row(learned: &Learned) -> impl serde::Serialize {
    (
        learned.controller,
        learned.step,
        learned.trials,
        &learned.scalars,
        &learned.policy,
    )
}
