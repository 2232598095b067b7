//! Who is trained on, validated on and tested on: the draw of the splits. Sees labels only, never
//! pixels or files.

use std::ops::Range;

use rand::seq::SliceRandom;

use super::raw::{Parts, Raw};
use crate::error::{Error, Result};
use crate::seed::{Seed, StreamRng};

/// How many records each split gets, and the seed of the draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// Training records; default all that are not held out.
    pub train: Option<usize>,
    /// Validation records, held out of the training records unless the source has its own; default
    /// 10 % of them (15 % for "digits"), or fewer where `train` leaves fewer.
    pub validation: Option<usize>,
    /// Test records; default the official test set, or 20 % of all records where there is none.
    pub test: Option<usize>,
    /// The seed of the draw, apart from the seed of a study: two studies on the same data compare.
    /// Default 0.
    pub split_seed: u64,
}

impl DataOptions {
    /// The names of the options.
    pub const OPTIONS: &[&str] = &["train", "validation", "test", "split_seed"];
}

/// The record numbers of each split; no record is in two.
#[derive(Debug, PartialEq)]
pub(super) struct Division {
    pub train: Vec<u32>,
    pub validation: Vec<u32>,
    pub test: Vec<u32>,
}

/// Test records held out of a hundred, where the source has no test part.
const TEST_PERCENT: usize = 20;

/// Draws the splits of `raw`, each with the classes in the proportions of its source.
///
/// Depends on the labels and `options` only. A larger `train` holds the records of a smaller one.
pub(super) fn divide(raw: &Raw, options: &DataOptions) -> Result<Division> {
    let sizes = Sizes::choose(raw, options)?;
    let mut rng = Seed(options.split_seed).stream("split");
    let mut draw = |range: Range<usize>| stratified(raw, range, &mut rng);

    let mut pool = draw(raw.parts.train_range());
    let mut own = |range: Option<Range<usize>>, count: usize| {
        let mut drawn = match range {
            Some(range) => draw(range),
            None => return pool.drain(..count).collect(),
        };
        drawn.truncate(count);
        drawn
    };
    let test = own(raw.parts.test_range(), sizes.test);
    let validation = own(raw.parts.validation_range(), sizes.validation);
    pool.truncate(sizes.train);
    Ok(Division {
        train: pool,
        validation,
        test,
    })
}

/// Orders the records of `range` so that every run of them has the classes in proportion.
///
/// The records of each class are shuffled and spread evenly over the order; classes that meet in one
/// place follow a shuffled order of their own, so that no class is always first.
fn stratified(raw: &Raw, range: Range<usize>, rng: &mut StreamRng) -> Vec<u32> {
    let mut by_class = vec![Vec::new(); raw.classes.len()];
    for record in range {
        by_class[usize::from(raw.labels[record])].push(record as u32);
    }
    by_class.shuffle(rng);

    let mut placed = Vec::new();
    for (turn, mut records) in by_class.into_iter().enumerate() {
        records.shuffle(rng);
        let count = records.len() as f64;
        let place = |(rank, record)| ((rank as f64 + 0.5) / count, turn, record);
        placed.extend(records.into_iter().enumerate().map(place));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    placed.into_iter().map(|(_, _, record)| record).collect()
}

/// How many records each split gets.
struct Sizes {
    train: usize,
    validation: usize,
    test: usize,
}

impl Sizes {
    fn choose(raw: &Raw, options: &DataOptions) -> Result<Self> {
        let Parts {
            train: pool,
            validation: own_validation,
            test: own_test,
        } = raw.parts;
        let held_out = usize::from(own_validation.is_none()) + usize::from(own_test.is_none());
        if pool <= held_out {
            return Err(Error::invalid(
                format!("data set '{}'", raw.name),
                format!("at least {} training records", held_out + 1),
                pool,
            ));
        }
        let check = |option, least, most, asked| check(raw, option, least, most, asked);

        // What is held out of the pool leaves at least one record to each split after it.
        let test_most = own_test.unwrap_or(pool - held_out);
        let test_default = own_test.unwrap_or_else(|| percent(pool, TEST_PERCENT).min(test_most));
        let test = check("test", 0, test_most, options.test.unwrap_or(test_default))?;
        let pool = pool - if own_test.is_none() { test } else { 0 };

        let validation_most = own_validation.unwrap_or(pool - 1);
        let validation_default = own_validation.unwrap_or_else(|| {
            let left = pool.saturating_sub(options.train.unwrap_or(1)).max(1);
            percent(pool, raw.validation_percent).min(left)
        });
        let validation = options.validation.unwrap_or(validation_default);
        let validation = check("validation", 1, validation_most, validation)?;
        let train_most = pool
            - if own_validation.is_none() {
                validation
            } else {
                0
            };

        let train = options.train.unwrap_or(train_most);
        Ok(Self {
            train: check("train", 1, train_most, train)?,
            validation,
            test,
        })
    }
}

/// `percent` of `count`, rounded, and at least one.
fn percent(count: usize, percent: usize) -> usize {
    ((count * percent + 50) / 100).max(1)
}

fn check(raw: &Raw, option: &str, least: usize, most: usize, asked: usize) -> Result<usize> {
    if (least..=most).contains(&asked) {
        return Ok(asked);
    }
    Err(Error::invalid(
        format!("option '{option}' of data set '{}'", raw.name),
        format!("{least} to {most} records"),
        asked,
    ))
}
