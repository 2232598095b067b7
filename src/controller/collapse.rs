//! When a policy has collapsed: it samples the same few architectures, and learns nothing from them.

use super::{Controller, Mode};

impl Controller {
    /// Whether the policy has collapsed, as of the last update: its entropy along the architectures
    /// of that update was below `collapse_entropy` of a uniform policy's, or the first draws of the
    /// last `collapse_repeats` calls of [`get_action`](Self::get_action) had all been seen. Always
    /// false in original mode, in guided mode, whose policy only proposes candidates, and once every
    /// architecture of the space was seen.
    pub fn collapsed(&self) -> bool {
        self.memory.collapsed
    }

    /// Looks for a collapse after an update that found the policy's `entropy`, in nats.
    pub(super) fn watch(&mut self, entropy: f64) {
        if matches!(self.config.mode, Mode::Original | Mode::Guided) {
            return;
        }
        let sizes = self.policy.sequence.sizes.iter();
        let uniform: f64 = sizes.map(|size| (*size as f64).ln()).sum();
        let settled = entropy < self.config.collapse_entropy * uniform;
        let repeating = self.memory.repeats >= self.config.collapse_repeats;
        self.memory.collapsed = (settled || repeating) && !self.exhausted();
    }
}
