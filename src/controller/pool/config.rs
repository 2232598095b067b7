//! The options of a pool that a single controller has not. Knows nothing of how replicas learn.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the replicas of a pool have from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exchange {
    /// One set of parameters at a server (arXiv 1611.01578, §3.2): a replica fetches them when it
    /// starts a mini-batch, and its gradient moves those that the server has by then.
    #[default]
    Gradients,
    /// Each replica has its own weights and optimizer; after every so many updates of the pool all
    /// take the mean of the weights. They start from the same weights, since a mean of unlike
    /// networks is none of them.
    Average,
    /// Each replica has its own; after every so many updates of the pool the one whose rewards since
    /// then have the lowest mean takes over weights, optimizer and baseline of the one with the
    /// highest (arXiv 1711.09846, §3). What it sampled before then trains what it took over.
    Select,
    /// Nothing: they learn apart.
    None,
}

impl Exchange {
    /// The name as the option takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradients => "gradients",
            Self::Average => "average",
            Self::Select => "select",
            Self::None => "none",
        }
    }
}

/// The options of a [`ControllerPool`](super::ControllerPool) besides those of its replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// What the replicas have from each other. Default `"gradients"`.
    pub exchange: Exchange,
    /// Average and select: the number of updates of the pool, all replicas together, from one
    /// exchange to the next, 1 or more. Default 50.
    pub every: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            exchange: Exchange::default(),
            every: 50,
        }
    }
}

impl PoolConfig {
    /// The names of the options.
    pub const OPTIONS: &[&str] = &["exchange", "every"];

    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the option that is not.
    pub fn validate(&self) -> Result<()> {
        if self.every == 0 {
            let expected = "a whole number from 1";
            return Err(Error::invalid("option 'every'", expected, self.every));
        }
        Ok(())
    }
}
