//! Where a node stands in a network, as far as children of one search can be told to share it. Knows nothing of
//! weights.

use std::sync::Arc;

use super::op::Op;

/// The place of a node: how many operations with weights lie before it since its scope was entered.
///
/// What stands at the same place in two networks is the same part of a search space, whatever the rest of
/// them is. Without scopes, the depth counts from the input. A place changes nothing about what a network computes:
/// all places are equal, and they are neither in its digest nor in its JSON.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The name that the script gave to this part of the network.
    pub scope: Option<Arc<str>>,
    /// The operations with weights on the longest way here within the scope, this one included.
    pub depth: usize,
}

impl Place {
    /// The place in `scope` of `op`, which reads what stands at `inputs`.
    pub(super) fn after<'a>(
        inputs: impl Iterator<Item = &'a Self>,
        scope: Option<Arc<str>>,
        op: &Op,
    ) -> Self {
        let here = inputs.filter(|input| input.scope == scope);
        let before = here.map(|input| input.depth).max().unwrap_or(0);
        Self {
            depth: before + usize::from(op.has_weights()),
            scope,
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
