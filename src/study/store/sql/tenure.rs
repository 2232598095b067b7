//! Adding to a study, by its holder alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::AnyConnection;

use super::hold::Hold;
use super::json;
use crate::error::{Error, Result};
use crate::study::Trial;
use crate::study::store::database::Database;
use crate::study::store::retry::Refusal;
use crate::study::store::{Fact, Tenure};

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
                   where $2 = (select coalesce(max(number), 0) + 1 from trials where study = $1)";
        self.write(async |connection| {
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
                .execute(&mut *connection)
                .await?;
            if added.rows_affected() == 1 {
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

    fn keep_snapshot(&self, controller: u64, step: u64, bytes: &[u8]) -> Result<()> {
        let keep = "insert into snapshots (study, controller, step, state) values ($1, $2, $3, $4) \
                    on conflict (study, controller) do update \
                    set step = excluded.step, state = excluded.state";
        self.write(async |connection| {
            let keep = self.database.dialect.sql(keep);
            keep.bind(self.study)
                .bind(controller.cast_signed())
                .bind(step.cast_signed())
                .bind(bytes)
                .execute(connection)
                .await?;
            Ok(())
        })
    }
}
