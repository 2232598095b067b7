//! Starting, finding and reading studies.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::hold::Hold;
use super::tenure::SqlTenure;
use super::{SqlStore, evaluations, json, parsed};
use crate::error::{Error, Result};
use crate::evaluation::Digest;
use crate::study::Trial;
use crate::study::store::{About, Fact, Kept, Known, Paid, StudyStore, Tenure};

impl StudyStore for SqlStore {
    fn create(&self, about: &About) -> Result<Box<dyn Tenure>> {
        let dialect = self.database.dialect;
        let text = json(&self.database, about)?;
        let ticket = self.ticket();
        let add = "insert into studies (name, script, seed, parent, about, created, term, holder, ticket) \
                   values ($1, $2, $3, $4, $5, {now}, 0, '', $6) on conflict (name) do nothing";
        let made = "select id from studies where ticket = $1";
        let made = self.database.transact(async |connection| {
            dialect
                .sql(add)
                .bind(about.name.as_str())
                .bind(about.script.as_str())
                .bind(about.seed.0.to_string())
                .bind(about.parent.as_ref().map(|(name, _)| name.clone()))
                .bind(text.as_str())
                .bind(ticket.as_str())
                .execute(&mut *connection)
                .await?;
            let made = dialect.rows::<(i64,)>(made).bind(ticket.as_str());
            Ok(made.fetch_optional(connection).await?)
        })?;
        match made {
            Some((study,)) => self.take(study),
            None => Err(Error::Duplicate {
                kind: "study",
                name: about.name.clone(),
            }),
        }
    }

    fn find(&self, name: &str) -> Result<Option<Kept>> {
        Ok(self.kept(Some(name))?.into_iter().next())
    }

    fn studies(&self) -> Result<Vec<Kept>> {
        self.kept(None)
    }

    fn take(&self, study: i64) -> Result<Box<dyn Tenure>> {
        let dialect = self.database.dialect;
        let hold = Hold::take(&self.database, study)?;
        let found = "select name, holder from studies where id = $1";
        let found = self.database.call(async |connection| {
            let found = dialect.rows::<(String, String)>(found).bind(study);
            Ok(found.fetch_optional(connection).await?)
        })?;
        let Some((name, holder)) = found else {
            return Err(self.database.refuses(format!("it has no study {study}")));
        };
        let Some(hold) = hold else {
            return Err(Error::Busy {
                study: name,
                holder: format!("{holder} works on it; wait for it, or end it, to go on"),
            });
        };
        let take = "update studies set term = term + 1, holder = $2 where id = $1 returning term, \
                    (select coalesce(max(number), 0) from facts where study = $1)";
        let (term, facts) = self.database.transact(async |connection| {
            let take = dialect.rows::<(i64, i64)>(take);
            Ok(take.bind(study).bind(us()).fetch_one(connection).await?)
        })?;
        Ok(Box::new(SqlTenure {
            database: Arc::clone(&self.database),
            study,
            name,
            term,
            facts: AtomicI64::new(facts),
            _hold: hold,
        }))
    }

    fn trials(&self, study: i64) -> Result<Vec<Trial>> {
        let all = "select number, trial from trials where study = $1 order by number";
        let all = self.database.call(async |connection| {
            let all = self.database.dialect.rows::<(i64, String)>(all);
            Ok(all.bind(study).fetch_all(connection).await?)
        })?;
        let trial = |(number, text): (i64, String)| {
            parsed(&self.database, &format!("trial {number}"), &text)
        };
        all.into_iter().map(trial).collect()
    }

    fn facts(&self, study: i64) -> Result<Vec<Fact>> {
        let all = "select kind, question, answer from facts where study = $1 order by number";
        let all = self.database.call(async |connection| {
            let all = self.database.dialect.rows::<(String, String, String)>(all);
            Ok(all.bind(study).fetch_all(connection).await?)
        })?;
        let fact = |(kind, question, answer): (String, String, String)| {
            let answer = parsed(&self.database, "a fact", &answer)?;
            Ok(Fact {
                kind,
                question,
                answer,
            })
        };
        all.into_iter().map(fact).collect()
    }

    fn snapshot(&self, study: i64, controller: u64) -> Result<Option<(u64, Vec<u8>)>> {
        let last = "select step, state from snapshots where study = $1 and controller = $2";
        let last = self.database.call(async |connection| {
            let last = self.database.dialect.rows::<(i64, Vec<u8>)>(last);
            let last = last.bind(study).bind(controller.cast_signed());
            Ok(last.fetch_optional(connection).await?)
        })?;
        Ok(last.map(|(step, state)| (step.cast_unsigned(), state)))
    }

    fn known(&self, digest: &Digest) -> Result<Option<Known>> {
        evaluations::known(&self.database, digest)
    }

    fn keep(&self, paid: &Paid) -> Result<()> {
        evaluations::keep(&self.database, paid)
    }

    fn name(&self) -> String {
        self.database.address.to_string()
    }
}

impl SqlStore {
    /// All studies, or the one called `name`.
    fn kept(&self, name: Option<&str>) -> Result<Vec<Kept>> {
        let chosen = "select s.id, s.about, s.created, count(t.number), max(t.score), \
                      coalesce(max(t.recorded), s.created) \
                      from studies s left join trials t on t.study = s.id \
                      where s.name = $1 or $1 is null group by s.id order by s.id";
        type Row = (i64, String, f64, i64, Option<f64>, f64);
        let chosen = self.database.call(async |connection| {
            let chosen = self.database.dialect.rows::<Row>(chosen).bind(name);
            Ok(chosen.fetch_all(connection).await?)
        })?;
        let kept = |(id, about, created, trials, best, updated): Row| {
            Ok(Kept {
                id,
                about: parsed(&self.database, &format!("study {id}"), &about)?,
                trials: usize::try_from(trials).unwrap_or_default(),
                best,
                created,
                updated,
            })
        };
        chosen.into_iter().map(kept).collect()
    }
}

/// Who takes a study here, for those who find it taken.
fn us() -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    format!("process {} on {machine}", std::process::id())
}
