//! Outcomes that were paid for, by their digest.

use sqlx::AnyConnection;

use super::{json, parsed};
use crate::error::Result;
use crate::evaluation::Digest;
use crate::study::store::database::Database;
use crate::study::store::dialect::Dialect;
use crate::study::store::{Known, Paid};

pub(super) fn known(database: &Database, digest: &Digest) -> Result<Option<Known>> {
    let known = "select outcome, study, weights from evaluations where digest = $1";
    let known = database.call(async |connection| {
        let known = database
            .dialect
            .rows::<(String, Option<i64>, Option<String>)>(known);
        let known = known.bind(digest.to_string());
        Ok(known.fetch_optional(connection).await?)
    })?;
    let known = known.map(|(outcome, study, weights)| {
        let what = format!("the outcome of evaluation {}", digest.short());
        Ok(Known {
            outcome: parsed(database, &what, &outcome)?,
            study,
            weights,
        })
    });
    known.transpose()
}

pub(super) fn keep(database: &Database, paid: &Paid) -> Result<()> {
    let text = json(database, paid.outcome)?;
    database.transact(async |connection| {
        add(database.dialect, connection, paid, &text).await?;
        Ok(())
    })
}

/// Keeps an outcome, whose JSON is `text`, if it is final and there is none already.
pub(super) async fn add(
    dialect: Dialect,
    connection: &mut AnyConnection,
    paid: &Paid<'_>,
    text: &str,
) -> sqlx::Result<()> {
    if !paid.outcome.is_final() {
        return Ok(());
    }
    // Numbers that may be missing go as text: a statement keeps the types that it was first prepared with, and
    // that of a missing number is another.
    let add = "insert into evaluations (digest, question, outcome, accuracy, loss, weights, study, created) \
               values ($1, $2, $3, cast($4 as double precision), cast($5 as double precision), $6, $7, {now}) \
               on conflict (digest) do nothing";
    dialect
        .sql(add)
        .bind(paid.digest.to_string())
        .bind(paid.question.as_str())
        .bind(text)
        .bind(paid.outcome.accuracy.map(|accuracy| accuracy.to_string()))
        .bind(paid.outcome.loss.map(|loss| loss.to_string()))
        .bind(paid.weights.as_deref())
        .bind(paid.study)
        .execute(connection)
        .await?;
    Ok(())
}
