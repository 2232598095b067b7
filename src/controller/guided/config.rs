//! The options of mode "guided". Knows nothing of how they are used.

use serde::{Deserialize, Serialize};

use crate::controller::surrogate::SurrogateKind;
use crate::error::{Error, Result};

/// The options of [`Mode::Guided`](crate::controller::Mode::Guided), under the names scripts use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuidedConfig {
    /// The model that is fitted to the trials: `"gp"`, `"ensemble"` or `"trees"`. Default `"gp"`.
    pub surrogate: SurrogateKind,
    /// How many architectures are tried first, as different as possible, 1 to 65536. Default 10.
    pub initial: usize,
    /// Updates of the policy by imagined rollouts after each trial, 0 to 10000. Default 12.
    pub imagined_updates: usize,
    /// Rollouts of each of these updates, 2 to 65536. Default 48.
    pub imagined_batch: usize,
    /// Weight of the policy's entropy in these updates, not negative: with little the policy settles
    /// on one architecture. Default 0.2.
    pub imagined_entropy: f64,
    /// How many architectures the policy samples to propose the most promising, 1 to 65536. Default
    /// 96.
    pub candidates: usize,
}

impl Default for GuidedConfig {
    fn default() -> Self {
        Self {
            surrogate: SurrogateKind::default(),
            initial: 10,
            imagined_updates: 12,
            imagined_batch: 48,
            imagined_entropy: 0.2,
            candidates: 96,
        }
    }
}

impl GuidedConfig {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first option that is not.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("initial", self.initial, 1, 65536),
            ("imagined_updates", self.imagined_updates, 0, 10_000),
            ("imagined_batch", self.imagined_batch, 2, 65536),
            ("candidates", self.candidates, 1, 65536),
        ];
        for (name, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                let expected = format!("an integer from {least} to {most}");
                return Err(Error::invalid(format!("option '{name}'"), expected, value));
            }
        }
        let entropy = self.imagined_entropy;
        if !(entropy.is_finite() && entropy >= 0.0) {
            let what = "option 'imagined_entropy'";
            return Err(Error::invalid(what, "0 or more", entropy));
        }
        Ok(())
    }
}
