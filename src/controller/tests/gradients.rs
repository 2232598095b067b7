//! The gradients of both losses, for every cell and every kind of state, against central
//! differences.

use burn::tensor::Tensor;

use super::*;
use crate::controller::gradient::Objective;

const STEP: f32 = 5e-3;

fn objective(controller: &Controller, weights: &Weights) -> Objective {
    let config = &controller.config;
    let policy = &controller.policy;
    let sizes = &policy.sequence.sizes;
    let rollout = |draw: &[usize], reward| Rollout {
        indices: draw.iter().cycle().zip(sizes).map(|(i, n)| i % n).collect(),
        input: [0, 2, 0][..sizes[0]].to_vec(),
        reward,
    };
    let batch = [
        rollout(&[1, 2, 0, 0, 1, 1, 0, 2], 0.7),
        rollout(&[0, 1, 1, 2, 0, 0, 1, 1], -0.4),
    ];
    if config.mode == Mode::Original {
        return original::objective(policy, weights, config, &batch[0]).unwrap();
    }
    let mut learner = controller.clone();
    learner.baseline = Some(0.0);
    learner.rollouts = batch.into();
    let batch = learner.batch();
    match config.mode {
        Mode::Ppo => {
            // Before the policy came to where it is, both were half as probable.
            let decided = batch.decided(policy, weights).unwrap();
            let now = batch.decided(policy, &controller.weights).unwrap();
            let now = now.log_probs().into_data();
            let before =
                Tensor::<2>::from_data(now, &weights.device()).sub_scalar(std::f32::consts::LN_2);
            let gains = ppo::clipped(&decided.log_probs(), &before, &batch, config.clip_ratio);
            decided.objective(gains, config, 0, weights)
        }
        _ => reinforce::objective(policy, weights, config, 0, &batch).unwrap(),
    }
}

/// What is differentiated; in original mode the loss itself has another slope in TensorFlow.
fn minimised(controller: &Controller, weights: &Weights) -> f64 {
    let value = objective(controller, weights)
        .minimised
        .into_scalar::<f32>();
    f64::from(value)
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for mode in [Mode::Reinforce, Mode::Ppo, Mode::Original] {
        for cell in [CellKind::Lstm, CellKind::Gru, CellKind::Nas] {
            check(mode, cell, space());
        }
        check(mode, CellKind::Lstm, mixed());
    }
}

fn check(mode: Mode, cell: CellKind, space: Arc<StateSpace>) {
    let config = ControllerConfig {
        cell,
        controller_cells: 8,
        embedding_dim: 6,
        entropy_weight: 0.1,
        reg_param: Some(0.01),
        ..config(mode)
    };
    let mut controller = Controller::new(space, 4, config, &Device::flex(), Seed(3)).unwrap();
    // Far from ties: the most probable decision, which original mode feeds back, must not change
    // with the small moves below.
    let mut arrays = controller.weights().unwrap();
    for (name, array) in &mut arrays {
        if name.starts_with("classifier") && name.ends_with("bias") {
            array.values[0] = 2.0;
        }
        // Logits of anchors away from 0, on either side.
        if name.ends_with("/v") {
            for v in &mut array.values {
                *v += 0.5 * v.signum();
            }
        }
    }
    controller.set_weights(&arrays).unwrap();
    let tracked = controller.weights.tracked();
    let gradient = objective(&controller, &tracked)
        .differentiate(&tracked)
        .unwrap();
    let mut largest: f64 = 0.0;
    for (index, spec) in controller.weights.specs().iter().enumerate() {
        let slopes = gradient.values[index].clone().into_data();
        let slopes = slopes.try_into_vec::<f32>().unwrap();
        // The first, a middle and the last element of every weight.
        for element in [0, slopes.len() / 2, slopes.len() - 1] {
            let moved = |by: f32| {
                let mut arrays = arrays.clone();
                arrays.get_mut(&spec.name).unwrap().values[element] += by;
                minimised(
                    &controller,
                    &controller.weights.with_arrays(&arrays).unwrap(),
                )
            };
            let difference = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            let slope = f64::from(slopes[element]);
            largest = largest.max(slope.abs());
            assert!(
                (slope - difference).abs() <= 2e-3 + 0.02 * difference.abs(),
                "{mode:?} {cell:?} {}[{element}]: {slope} for {difference}",
                spec.name
            );
        }
    }
    assert!(largest > 0.05, "{mode:?} {cell:?}: all slopes are small");
}
