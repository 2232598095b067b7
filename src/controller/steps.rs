//! The decision sequence as the network walks it: which state each step decides, and with what.
//! Knows nothing of weights' values or tensors.

use std::ops::Range;

use crate::space::{Decision, Domain, Slot, StateSpace};

/// One step of the cell, which decides one slot of the space.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The id of the state that is decided.
    pub state: usize,
    /// The positions of its decisions in the sequence; none for an anchor at the first layer.
    pub decisions: Range<usize>,
    /// What turns the cell's output into logits.
    pub head: Head,
}

/// What turns the cell's output into the logits of a step's decisions.
#[derive(Clone, Debug)]
pub(super) enum Head {
    /// A dense layer to the values of the one decision.
    Classifier {
        /// Its position among the classifiers.
        number: usize,
        /// Where the values are not the state's in order: the row of its table for each.
        rows: Option<Vec<usize>>,
    },
    /// Attention to the anchor's outputs at the earlier layers (arXiv 1611.01578, §3.3).
    Anchor {
        /// Its position among the anchors.
        number: usize,
    },
}

/// All steps for the architectures of one space and number of layers.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub steps: Vec<Step>,
    /// The number of values of each decision.
    pub sizes: Vec<usize>,
    /// The name of each decision: `layer_1/kernel`, `layer_3/skip_0`.
    pub names: Vec<String>,
}

impl Steps {
    pub fn new(space: &StateSpace, layers: usize) -> Self {
        let anchors = |id: usize| {
            let before = space.states()[..id].iter();
            before.filter(|s| s.domain == Domain::Anchor).count()
        };
        let (mut next, mut classifiers) = (0, 0);
        let step = |slot: Slot<'_>| {
            let decisions = next..next + slot.size();
            next = decisions.end;
            let state = slot.state.id;
            let head = if slot.state.domain == Domain::Anchor {
                let number = anchors(state);
                Head::Anchor { number }
            } else {
                let (number, rows) = (classifiers, rows(slot));
                classifiers += 1;
                Head::Classifier { number, rows }
            };
            Step {
                state,
                decisions,
                head,
            }
        };
        Self {
            steps: space.slots(layers).map(step).collect(),
            sizes: space.decisions(layers).map(|d| d.size()).collect(),
            names: space
                .decisions(layers)
                .map(|d| Decision::label(&d))
                .collect(),
        }
    }

    /// Position in the sequence and number of values of each decision that has a classifier.
    pub fn classifiers(&self) -> impl Iterator<Item = (usize, usize)> {
        let classified = |step: &&Step| matches!(step.head, Head::Classifier { .. });
        let steps = self.steps.iter().filter(classified);
        steps.map(|step| (step.decisions.start, self.sizes[step.decisions.start]))
    }
}

/// The rows of the table for the values of a layer's own: a value has the same in every layer.
fn rows(slot: Slot<'_>) -> Option<Vec<usize>> {
    let Domain::PerLayer(lists) = &slot.state.domain else {
        return None;
    };
    let all = slot.state.domain.distinct();
    let own = lists.get(slot.layer?)?.iter();
    // Row 0 is "not decided".
    let row = |value| all.iter().position(|v| v == value).map(|i| i + 1);
    own.map(row).collect()
}
