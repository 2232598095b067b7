//! The contract of a store, held against SQLite and against a real PostgreSQL.

mod address;
mod opening;
mod queue;
mod resilience;
#[path = "../../../../tests/postgres/server.rs"]
mod server;
mod studies;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sqlx::Executor;

use super::database::Database;
use super::*;
use crate::evaluation::{Epoch, Failure, FailureKind};

/// Runs each test against each database.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&crate::study::store::tests::Place::sqlite()); })*
        }
        mod postgres {
            $(
                #[test]
                fn $name() {
                    if let Some(place) = crate::study::store::tests::Place::postgres() {
                        super::$name(&place);
                    }
                }
            )*
        }
    };
}
use contract;

/// A fresh database.
pub(super) struct Place {
    /// As a user would type it.
    text: String,
    address: Address,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("studies of mine #1.db");
        Self::at(path.to_str().unwrap().into(), Some(folder))
    }

    /// In the one server of this process; `None` where there is none.
    fn postgres() -> Option<Self> {
        static SERVER: OnceLock<Option<server::Server>> = OnceLock::new();
        let server = SERVER.get_or_init(|| server::Server::start("-c fsync=off"));
        Some(Self::at(server.as_ref()?.database(), None))
    }

    fn at(text: String, folder: Option<tempfile::TempDir>) -> Self {
        Self {
            address: text.parse().unwrap(),
            text,
            _folder: folder,
        }
    }

    fn open(&self) -> Arc<dyn StudyStore> {
        open(&self.address).unwrap()
    }

    /// Carries out SQL of the test's own.
    fn execute(&self, sql: &'static str) {
        let database = Database::new(self.address.clone()).unwrap();
        let executed = database.call(async |connection| {
            connection.execute(sql).await?;
            Ok(())
        });
        executed.unwrap();
    }
}

fn about(name: &str) -> About {
    About {
        name: name.into(),
        script: "search.rhai".into(),
        seed: Seed(u64::MAX),
        params: BTreeMap::from([("epochs".into(), "3".into())]),
        folder: Some("runs/search".into()),
        parent: None,
        kernel_version: 2,
        source: String::new(),
        environment: None,
    }
}

/// A state of a controller, to keep.
fn state(controller: u64, step: u64, bytes: &[u8]) -> Learning {
    Learning {
        states: BTreeMap::from([(controller, (step, bytes.to_vec()))]),
        ..Learning::default()
    }
}

/// Numbers that lose their last bits wherever they are not written in full.
fn outcome(accuracy: f64) -> Outcome {
    let awkward = 0.1 + 0.2;
    let epoch = Epoch {
        epoch: 1,
        loss: awkward,
        accuracy,
        validation_loss: f64::MIN_POSITIVE / 8.0,
        validation_accuracy: 1.0 / 3.0,
        learning_rate: 1e-3 * awkward,
        seconds: 1e300 / 7.0,
    };
    Outcome {
        accuracy: Some(accuracy),
        loss: Some(awkward),
        best_epoch: Some(1),
        history: vec![epoch],
        seconds: awkward / 3.0,
        params: u64::MAX,
        macs: 1 << 60,
        ..Outcome::default()
    }
}

fn failed() -> Outcome {
    Outcome {
        failure: Some(Failure::new(FailureKind::Timeout, "not done after 1 s")),
        ..Outcome::default()
    }
}

fn trial(number: usize, score: Option<f64>) -> Trial {
    Trial {
        number,
        reward: score.unwrap_or(-0.1),
        score,
        cached: number.is_multiple_of(2),
        digest: Some(digest(number)),
        outcome: score.map_or_else(failed, outcome),
        ..Trial::default()
    }
}

fn digest(number: usize) -> Digest {
    Digest::of_bytes(&number.to_le_bytes())
}
