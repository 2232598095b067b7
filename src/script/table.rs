//! `BenchmarkTable` for scripts: a manager that a table answers.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Engine, FnPtr, Map, NativeCallContext};

use super::manager::Manager;
use super::options::Options;
use super::{Host, Scripted, raise};
use crate::error::Error;
use crate::manager::{BenchmarkTable, ManagerConfig, NetworkManager, TableOptions};

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(tables).into());
}

#[export_module]
mod tables {
    /// A manager that answers from a benchmark table in place of training: a CSV file in a data folder or beside the
    /// script, with a column of architectures and one or several of rewards. A search procedure is developed on it in
    /// seconds and runs unchanged on a `NetworkManager`; the `model` of `get_rewards` is not called. A table knows
    /// trainings of one length: with other `epochs` a row answers the same, and counts as a trial again.
    ///
    /// Options:
    /// - `reward`: the column of the reward, or a list of which one is drawn per evaluation; it has to be given.
    /// - `key` (the first column): the column of the architectures, read as text.
    /// - `encode` (values one after another): a function that makes the key of actions.
    /// - `score` (the mean of the reward's columns): what trials are ranked by, a column, or a list whose mean is
    ///   taken.
    /// - `scale` (1.0): what rewards and scores are divided by, above 0; 100 makes shares of percentages.
    /// - `params` (none): the column of the parameters; without one they are 0.
    /// - `macs` (none): the column of the multiply-accumulate operations; without one they are 0.
    /// - `seconds` (0.0): the time of an evaluation, a number or a column; nothing waits for it.
    ///
    /// And of the options of `NetworkManager`: `acc_beta`, `clip_rewards`, `failure_reward`, `repeats`. The others
    /// (`timeout`, `max_params`, `max_macs`, `max_memory`, `checkpoints`, `median_stop`) are accepted, so that a
    /// manager can be swapped for a table.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("block", [0, 1, 2]);
    /// let table = BenchmarkTable("nas-bench-macro.csv", #{
    ///     reward: ["acc1", "acc2", "acc3"], scale: 100, params: "params", macs: "flops",
    ///     encode: |actions| actions.values.reduce(|text, value| text + value, ""),
    /// });
    /// let outcome = table.get_rewards(|actions| (), space.actions([1, 2, 2, 1, 0, 0, 2, 1]));
    /// print(outcome.accuracy);
    /// ```
    #[rhai_fn(name = "BenchmarkTable", return_raw, volatile)]
    pub fn table(ctx: NativeCallContext, path: &str, options: Map) -> Scripted<Manager> {
        let host = Host::of(&ctx)?;
        let mut options = options;
        let encode = options.remove("encode").map(|encode| {
            let found = encode.type_name();
            let invalid = || raise(Error::invalid("option 'encode'", "a function", found));
            encode.try_cast::<FnPtr>().ok_or_else(invalid)
        });
        let options = Options::new("BenchmarkTable", &options)?;
        let columns = options.part(TableOptions::OPTIONS)?;
        let config = options.part(ManagerConfig::OPTIONS)?;
        let found = host.data_file(path).map_err(raise)?;
        let _timed = host.meter().timed();
        let config = host.limits().bound(config).map_err(raise)?;
        let table = BenchmarkTable::open(&found, path, &columns).map_err(raise)?;
        let manager = NetworkManager::of_table(Arc::new(table), config, host.study().clone());
        Ok(Manager::new(manager.map_err(raise)?, encode.transpose()?))
    }
}
