//! The names of the options that each call takes: what the calls themselves accept, and what the reference, completion
//! and checks of scripts say of them. Knows nothing of what the options do.

use super::attributes::{CONV2D, DEPTHWISE, POOL};
use super::shared;
use crate::controller::{ControllerConfig, ParzenConfig, PoolConfig};
use crate::data::{DataOptions, SyntheticOptions};
use crate::evaluation::TrainingConfig;
use crate::manager::{ManagerConfig, TableOptions, Terms};
use crate::study::Budget;

/// Each call that takes options, and their names, in the groups that are read together.
const CALLS: &[(&str, &[&[&str]])] = &[
    (
        "BenchmarkTable",
        &[TableOptions::OPTIONS, ManagerConfig::OPTIONS, &["encode"]],
    ),
    ("Controller", &[ControllerConfig::OPTIONS]),
    (
        "ControllerPool",
        &[ControllerConfig::OPTIONS, PoolConfig::OPTIONS],
    ),
    (
        "NetworkManager",
        &[
            TrainingConfig::OPTIONS,
            ManagerConfig::OPTIONS,
            shared::OPTIONS,
        ],
    ),
    ("Parzen", &[ParzenConfig::OPTIONS]),
    ("Surrogate", &[&["kind"]]),
    ("avg_pool2d", &[POOL]),
    ("batch_norm", &[&["momentum", "epsilon"]]),
    ("budget", &[Budget::OPTIONS]),
    ("conv2d", &[CONV2D]),
    ("conv_transpose2d", &[CONV2D]),
    ("dataset", &[DataOptions::OPTIONS]),
    ("dense", &[&["bias"]]),
    ("depthwise_conv2d", &[DEPTHWISE]),
    ("drop_path", &[&["schedule"]]),
    ("evaluate", &[Terms::OPTIONS]),
    ("folder", &[DataOptions::OPTIONS, &["size"]]),
    ("get_rewards", &[Terms::OPTIONS]),
    ("group_norm", &[&["epsilon"]]),
    ("latency", &[&["device", "batch", "repeats"]]),
    ("layer_norm", &[&["epsilon"]]),
    ("max_pool2d", &[POOL]),
    // What its callback answers with.
    ("on_failure", &[&["retry", "batch_size"]]),
    ("resize", &[&["mode"]]),
    ("score_shared", &[&["images"]]),
    ("separable_conv2d", &[DEPTHWISE]),
    ("squeeze_excite", &[&["gate"]]),
    ("submit", &[Terms::OPTIONS]),
    (
        "synthetic",
        &[SyntheticOptions::OPTIONS, DataOptions::OPTIONS],
    ),
];

/// The names of the options of `call`; none of a call that takes no options.
pub(super) fn of(call: &str) -> Vec<&'static str> {
    let groups = CALLS.iter().find(|(name, _)| *name == call);
    groups.map_or(Vec::new(), |(_, groups)| groups.concat())
}
