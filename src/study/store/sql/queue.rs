//! The queue of jobs: leases that end by the database's clock, fenced by the number of the start.

use std::cell::Cell;
use std::time::Duration;

use super::bell::CHANNEL;
use super::{SqlStore, evaluations, json, parsed};
use crate::error::Result;
use crate::evaluation::Outcome;
use crate::study::store::dialect::Dialect;
use crate::study::store::{Beat, Claim, Job, JobQueue, NewJob, Paid};

/// The longest wait after a start that came to nothing, in seconds.
const LONGEST_WAIT: f64 = 60.0;

/// Where a change is made only under the claim's own start.
const OF_CLAIM: &str = "where id = $1 and attempts = $2 and state = 'running'";

/// What becomes of a job whose start came to nothing.
const AFTERWARDS: &str = "case when cancel = 1 then 'cancelled' when attempts >= max_attempts then 'dead' \
                          else 'ready' end";

impl JobQueue for SqlStore {
    fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<i64>> {
        let dialect = self.database.dialect;
        let ticket = self.ticket();
        let add = "insert into jobs (digest, payload, study, state, attempts, max_attempts, cancel, created, \
                   ready_at, changed, ticket) \
                   values ($1, $2, $3, 'ready', 0, $4, 0, {now}, {now}, {now}, $5) \
                   on conflict (ticket) do update set ticket = excluded.ticket returning id";
        let keys = self.database.transact(async |connection| {
            let mut keys = Vec::with_capacity(jobs.len());
            for (at, job) in jobs.iter().enumerate() {
                let ticket = format!("{ticket}-{at}");
                let added = dialect
                    .rows::<(i64,)>(add)
                    .bind(job.digest.to_string())
                    .bind(job.payload.as_str())
                    .bind(job.study)
                    .bind(i64::from(job.attempts))
                    .bind(ticket);
                keys.push(added.fetch_one(&mut *connection).await?.0);
            }
            Ok(keys)
        })?;
        self.tell()?;
        Ok(keys)
    }

    fn claim_of(&self, study: Option<i64>, worker: &str, lease: Duration) -> Result<Option<Claim>> {
        type Row = (i64, i64, String, String, Option<i64>);
        let dialect = self.database.dialect;
        let ticket = self.ticket();
        let claim = "update jobs set state = 'running', attempts = attempts + 1, worker = $1, \
                     lease_until = {now} + $2, changed = {now}, claim = $3, progress = null \
                     where id = \
                     (select id from jobs j where state = 'ready' and ready_at <= {now} \
                     and ($4 is null or study = $4) and not exists \
                     (select 1 from jobs r where r.digest = j.digest and r.state = 'running') \
                     order by id limit 1 {skip_locked}) returning id, attempts, digest, payload, study";
        let claimed = "select id, attempts, digest, payload, study from jobs \
                       where claim = $1 and state = 'running'";
        let repeated = Cell::new(false);
        let row = self.database.call(async |connection| {
            if repeated.replace(true) {
                let claimed = dialect.rows::<Row>(claimed).bind(ticket.as_str());
                if let Some(row) = claimed.fetch_optional(&mut *connection).await? {
                    return Ok(Some(row));
                }
            }
            loop {
                let claim = dialect.rows::<Row>(claim).bind(worker);
                let claim = claim.bind(lease.as_secs_f64()).bind(ticket.as_str());
                let claim = claim.bind(study);
                match claim.fetch_optional(&mut *connection).await {
                    // Another took a job of this digest at the same moment; there may be more.
                    Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
                    row => return Ok(row?),
                }
            }
        })?;
        let claim = row.map(|(id, attempt, digest, payload, study)| {
            Ok(Claim {
                id,
                attempt: attempt as u32,
                digest: digest.parse()?,
                payload,
                study,
            })
        });
        claim.transpose()
    }

    fn beat(&self, claim: &Claim, lease: Duration, progress: Option<&str>) -> Result<Beat> {
        let beat = "update jobs set lease_until = {now} + $3, progress = coalesce($4, progress)";
        let beat = format!("{beat} {OF_CLAIM} returning cancel");
        let held = self.database.call(async |connection| {
            let beat = self.database.dialect.rows::<(i64,)>(&beat);
            let beat = beat.bind(claim.id).bind(i64::from(claim.attempt));
            let beat = beat.bind(lease.as_secs_f64()).bind(progress);
            Ok(beat.fetch_optional(connection).await?)
        })?;
        Ok(match held {
            None => Beat::Lost,
            Some((0,)) => Beat::Held,
            Some(_) => Beat::Cancelled,
        })
    }

    fn finish(
        &self,
        claim: &Claim,
        question: &str,
        outcome: &Outcome,
        weights: Option<&str>,
    ) -> Result<bool> {
        let dialect = self.database.dialect;
        let text = json(&self.database, outcome)?;
        let paid = Paid {
            digest: claim.digest,
            question: question.into(),
            outcome,
            study: claim.study,
            weights: weights.map(Into::into),
        };
        let finish = "update jobs set state = 'done', outcome = $3, weights = $4, error = null, \
                      lease_until = null, changed = {now}";
        let finish = format!("{finish} {OF_CLAIM}");
        let repeated = Cell::new(false);
        let finished = self.database.transact(async |connection| {
            let again = repeated.replace(true);
            let finish = dialect.sql(&finish);
            let finish = finish.bind(claim.id).bind(i64::from(claim.attempt));
            let finish = finish.bind(text.as_str()).bind(weights);
            if finish.execute(&mut *connection).await?.rows_affected() == 0 {
                // This call wrote it before, and the answer was lost.
                let mine = "select id from jobs where id = $1 and attempts = $2 and state = 'done'";
                let mine = dialect.rows::<(i64,)>(mine).bind(claim.id);
                let mine = mine
                    .bind(i64::from(claim.attempt))
                    .fetch_optional(connection);
                return Ok(again && mine.await?.is_some());
            }
            evaluations::add(dialect, connection, &paid, &text).await?;
            Ok(true)
        })?;
        self.tell()?;
        Ok(finished)
    }

    fn fail(&self, claim: &Claim, error: &str) -> Result<bool> {
        let wait = 2_f64.powi(claim.attempt.min(10) as i32).min(LONGEST_WAIT);
        self.settle(claim, &format!("state = {AFTERWARDS}"), error, wait)
    }

    fn kill(&self, claim: &Claim, error: &str) -> Result<bool> {
        self.settle(claim, "state = 'dead'", error, 0.0)
    }

    fn give_up(&self, claim: &Claim) -> Result<bool> {
        // The number of starts is the fence and never falls, so one more is allowed instead.
        let back = "max_attempts = max_attempts + 1, \
                    state = case when cancel = 1 then 'cancelled' else 'ready' end";
        self.settle(claim, back, "given up by its worker", 0.0)
    }

    fn reap(&self) -> Result<u64> {
        let reap = format!(
            "update jobs set state = {AFTERWARDS}, error = 'lease expired', lease_until = null, \
             ready_at = {{now}}, changed = {{now}} where id in \
             (select id from jobs where state = 'running' and lease_until < {{now}} {{skip_locked}})"
        );
        let reaped = self.database.call(async |connection| {
            let reaped = self.database.dialect.sql(&reap).execute(connection).await?;
            Ok(reaped.rows_affected())
        })?;
        if reaped > 0 {
            self.tell()?;
        }
        Ok(reaped)
    }

    fn cancel(&self, jobs: &[i64]) -> Result<()> {
        let cancel = "update jobs set cancel = 1, changed = {now}, \
                      state = case when state = 'ready' then 'cancelled' else state end \
                      where id in {ids} and state in ('ready', 'running')";
        let keys = json(&self.database, &jobs)?;
        self.database.transact(async |connection| {
            let cancel = self.database.dialect.sql(cancel).bind(keys.as_str());
            cancel.execute(connection).await?;
            Ok(())
        })?;
        self.tell()
    }

    fn clear(&self, study: i64, workers: &str) -> Result<()> {
        let clear = "update jobs set state = 'cancelled', error = 'its study was taken up anew', \
                     lease_until = null, changed = {now} where study = $1 and (state = 'ready' \
                     or state = 'running' and substr(worker, 1, length($2)) = $2)";
        self.database.call(async |connection| {
            let clear = self.database.dialect.sql(clear).bind(study).bind(workers);
            clear.execute(connection).await?;
            Ok(())
        })?;
        self.tell()
    }

    fn jobs(&self, jobs: &[i64]) -> Result<Vec<Job>> {
        type Row = (
            i64,
            String,
            i64,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
        );
        let chosen = "select id, state, attempts, worker, outcome, weights, error, progress from jobs \
                      where id in {ids} order by id";
        let keys = json(&self.database, &jobs)?;
        let chosen = self.database.call(async |connection| {
            let chosen = self.database.dialect.rows::<Row>(chosen);
            Ok(chosen.bind(keys.as_str()).fetch_all(connection).await?)
        })?;
        let job = |row: Row| {
            let (id, state, attempts, worker, outcome, weights, error, progress) = row;
            let what = format!("job {id}");
            let outcome = outcome.map(|text| parsed(&self.database, &what, &text));
            Ok(Job {
                id,
                state: parsed(&self.database, &what, &format!("\"{state}\""))?,
                attempts: attempts as u32,
                worker,
                outcome: outcome.transpose()?,
                weights,
                error,
                progress,
            })
        };
        chosen.into_iter().map(job).collect()
    }

    fn wait(&self, at_most: Duration) {
        self.bell.wait(at_most);
    }

    fn wake(&self) {
        self.bell.ring();
    }
}

impl SqlStore {
    /// Ends a start that has no outcome, by `change`; the job can be taken again after `wait` seconds, if at
    /// all. `false`: the job is no longer the claim's.
    fn settle(&self, claim: &Claim, change: &str, error: &str, wait: f64) -> Result<bool> {
        let dialect = self.database.dialect;
        let settle = format!(
            "update jobs set {change}, error = $3, ready_at = {{now}} + $4, lease_until = null, \
             changed = {{now}} {OF_CLAIM}"
        );
        let before = "select id from jobs where id = $1 and attempts = $2 and state <> 'running' and error = $3";
        let repeated = Cell::new(false);
        let settled = self.database.transact(async |connection| {
            let again = repeated.replace(true);
            let settle = dialect.sql(&settle).bind(claim.id);
            let settle = settle.bind(i64::from(claim.attempt)).bind(error).bind(wait);
            let settled = settle.execute(&mut *connection).await?.rows_affected() == 1;
            if settled || !again {
                return Ok(settled);
            }
            // This call wrote it before, and the answer was lost.
            let before = dialect.rows::<(i64,)>(before).bind(claim.id);
            let before = before.bind(i64::from(claim.attempt)).bind(error);
            Ok(before.fetch_optional(connection).await?.is_some())
        })?;
        self.tell()?;
        Ok(settled)
    }

    /// Tells everybody who waits that the queue has changed. On its own, since PostgreSQL commits one
    /// transaction that notifies at a time: written data must not wait for that.
    fn tell(&self) -> Result<()> {
        self.bell.ring();
        if self.database.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let tell = format!("notify {CHANNEL}");
        self.database.call(async |connection| {
            self.database.dialect.sql(&tell).execute(connection).await?;
            Ok(())
        })
    }
}
