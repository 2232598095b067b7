use rand::RngExt;

use super::*;
use crate::space::Value;

/// Three layers that choose one of four, and a choice of the whole network.
fn space() -> Arc<StateSpace> {
    let mut space = StateSpace::new();
    let ops = ["none", "skip", "conv", "pool"].map(|op| Value::Text(op.into()));
    space.add_state("op", ops.to_vec()).unwrap();
    let heads = ["gap", "flatten"].map(|head| Value::Text(head.into()));
    space.add_choice("head", heads.to_vec()).unwrap();
    Arc::new(space)
}

fn random(n: usize, seed: u64) -> Vec<Actions> {
    let mut rng = Seed(seed).stream("actions");
    let draw = |_| Actions::random(&space(), 3, &mut rng).unwrap();
    (0..n).map(draw).collect()
}

/// What the operations of the three layers are worth; the head makes no difference.
fn objective(actions: &Actions) -> f64 {
    let worth = [0.0, 1.0, 2.5, 1.5];
    let ops = actions.indices()[..3].iter().zip([1.0, 0.5, 2.0]);
    ops.map(|(op, weight)| weight * worth[*op]).sum()
}

fn fitted(kind: SurrogateKind, tried: &[Actions], noise: f64) -> Surrogate {
    let mut rng = Seed(5).stream("noise");
    let mut observed = |a| objective(a) + noise * (rng.random::<f64>() - 0.5);
    let objectives: Vec<f64> = tried.iter().map(&mut observed).collect();
    let mut surrogate = Surrogate::new(space(), 3, kind, Seed(0)).unwrap();
    surrogate.fit(tried, &objectives).unwrap();
    surrogate
}

const KINDS: [SurrogateKind; 3] = [
    SurrogateKind::Gp,
    SurrogateKind::Ensemble,
    SurrogateKind::Trees,
];

#[test]
fn every_kind_ranks_what_it_has_not_seen() {
    for kind in KINDS {
        let surrogate = fitted(kind, &random(40, 1), 0.2);
        let unseen = random(60, 2);
        let beliefs = surrogate.predict(&unseen).unwrap();
        let mut pairs = (0, 0);
        for (i, a) in unseen.iter().enumerate() {
            for (j, b) in unseen[..i].iter().enumerate() {
                if (objective(a) - objective(b)).abs() > 0.3 {
                    let agree =
                        (objective(a) > objective(b)) == (beliefs[i].mean > beliefs[j].mean);
                    pairs = (pairs.0 + usize::from(agree), pairs.1 + 1);
                }
            }
        }
        assert!(pairs.0 * 100 > pairs.1 * 85, "{kind:?}: {pairs:?}");
    }
}

#[test]
fn a_gaussian_process_knows_how_far_it_may_be_off() {
    let surrogate = fitted(SurrogateKind::Gp, &random(30, 3), 0.2);
    let unseen = random(200, 4);
    let beliefs = surrogate.predict(&unseen).unwrap();
    let off = unseen.iter().zip(&beliefs);
    let within = off.filter(|(a, b)| (objective(a) - b.mean).abs() < 2.0 * b.deviation);
    let within = within.count();
    assert!(
        (160..=200).contains(&within),
        "{within} of 200 within two deviations"
    );
}

#[test]
fn a_fit_does_not_depend_on_the_scale_of_objectives() {
    let (tried, unseen) = (random(20, 6), random(20, 7));
    let objectives: Vec<f64> = tried.iter().map(objective).collect();
    let scaled: Vec<f64> = objectives.iter().map(|y| 1e6 * y - 3e7).collect();
    let ask = |objectives: &[f64]| {
        let mut surrogate = Surrogate::new(space(), 3, SurrogateKind::Gp, Seed(0)).unwrap();
        surrogate.fit(&tried, objectives).unwrap();
        surrogate.predict(&unseen).unwrap()
    };
    for (plain, scaled) in ask(&objectives).iter().zip(ask(&scaled)) {
        assert!((1e6 * plain.mean - 3e7 - scaled.mean).abs() < 1e3);
        assert!((1e6 * plain.deviation - scaled.deviation).abs() < 1e3);
    }
}

#[test]
fn a_decision_without_effect_is_found_out() {
    let encoding = Arc::new(Encoding::new(&space(), 3));
    let tried = random(60, 8);
    let x: Vec<Vec<usize>> = tried.iter().map(|a| a.indices().to_vec()).collect();
    let transform = Transform::new(&tried.iter().map(objective).collect::<Vec<_>>());
    let y: Vec<f64> = tried
        .iter()
        .map(|a| transform.output(objective(a)))
        .collect();
    let mut gp = Gp::new(encoding);
    let data = Data { x: &x, y: &y };
    gp.learn(&data);
    gp.condition(&data);
    // The same architecture but for the head, and but for the last layer.
    let apart = |a: &[usize], b: &[usize]| gp.correlation(a, b);
    let base = [2, 1, 2, 0];
    let (head, layer) = (apart(&base, &[2, 1, 2, 1]), apart(&base, &[2, 1, 0, 0]));
    assert!(
        1.0 - head < 0.2 * (1.0 - layer),
        "head {head}, layer {layer}"
    );
}

#[test]
fn a_posterior_is_that_of_the_textbook() {
    // One observation y with prior variance v and noise s: the mean is k / (v + s) · y and the
    // variance v − k² / (v + s), where k = v at the same place.
    let encoding = Arc::new(Encoding::new(&space(), 3));
    let mut gp = Gp::new(encoding);
    let x = [vec![0, 1, 2, 0]];
    gp.condition(&Data { x: &x, y: &[0.7] });
    // The medians of the priors: c = 1, σ² = 1, σ_s² = 1 and noise e⁻³.
    let (v, s) = (3.0, (-3f64).exp());
    let belief = gp.predict(&x)[0];
    assert!((belief.mean - v / (v + s) * 0.7).abs() < 1e-6);
    let variance = v - v * v / (v + s);
    assert!((belief.deviation.powi(2) - variance).abs() < 1e-6);
}

#[test]
fn a_gradient_is_that_of_differences() {
    let mut space = StateSpace::clone(&space());
    let widths = [8, 16, 32].map(Value::Int);
    space.add_state("width", widths.to_vec()).unwrap();
    space.add_anchor("skip").unwrap();
    let gp = Gp::new(Arc::new(Encoding::new(&space, 3)));
    let mut rng = Seed(9).stream("x");
    let space = Arc::new(space);
    let mut draw = || {
        Actions::random(&space, 3, &mut rng)
            .unwrap()
            .indices()
            .to_vec()
    };
    let x: Vec<Vec<usize>> = (0..8).map(|_| draw()).collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| (x.iter().sum::<usize>() % 5) as f64 - 2.0)
        .collect();
    for (p, analytic, differences) in gp.gradient_check(&x, &y) {
        let error = (analytic - differences).abs();
        assert!(
            error < 1e-4 * (1.0 + analytic.abs()),
            "{p}: {analytic} {differences}"
        );
    }
}

#[test]
fn what_is_believed_in_promises_less_and_changes_no_mean() {
    for kind in KINDS {
        let mut surrogate = fitted(kind, &random(20, 10), 0.2);
        let unseen: Vec<_> = random(30, 11)
            .iter()
            .map(|a| a.indices().to_vec())
            .collect();
        let before = surrogate.outputs(&unseen);
        let promises = surrogate.promise(&unseen);
        let most = policy_argmax(&promises);
        surrogate.believe(&unseen[most..=most]);
        if kind == SurrogateKind::Gp {
            for (a, b) in surrogate.outputs(&unseen).iter().zip(&before) {
                assert!((a.mean - b.mean).abs() < 1e-9 && a.deviation <= b.deviation + 1e-9);
            }
            assert!(surrogate.promise(&unseen)[most] < promises[most]);
        }
        surrogate.believe(&[]);
        assert_eq!(surrogate.outputs(&unseen), before, "{kind:?}");
    }
}

fn policy_argmax(values: &[f64]) -> usize {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().position(|v| *v == largest).unwrap()
}

#[test]
fn a_useless_architecture_does_not_drown_the_others() {
    let mut objectives: Vec<f64> = (0..20).map(|i| 90.0 + 0.1 * f64::from(i)).collect();
    objectives.push(10.0);
    let transform = Transform::new(&objectives);
    let (top, next) = (transform.output(91.9), transform.output(91.0));
    assert!(top - next > 0.3, "{top} {next}");
    for y in objectives {
        let deviation = 1e-9;
        let mean = transform.output(y);
        assert!((transform.undo(Belief { mean, deviation }).mean - y).abs() < 1e-6);
    }
}

#[test]
fn wrong_use_says_what_was_expected() {
    let mut surrogate = Surrogate::new(space(), 3, SurrogateKind::Gp, Seed(0)).unwrap();
    let asked = random(2, 0);
    let message = |e: Error| e.to_string();
    assert_eq!(
        surrogate.predict(&asked).map_err(message),
        Err("surrogate: expected a fit before a question, found none".into())
    );
    assert_eq!(
        surrogate.fit(&asked, &[1.0]).map_err(message),
        Err("fit: expected as many objectives as actions, at least one, found 1 and 2".into())
    );
    assert_eq!(
        surrogate.fit(&asked, &[1.0, f64::NAN]).map_err(message),
        Err("objective: expected a finite number, found NaN".into())
    );
    // Objectives that are all alike teach nothing, and break nothing.
    surrogate.fit(&asked, &[1.0, 1.0]).unwrap();
    let belief = surrogate.predict(&asked).unwrap()[0];
    assert!((belief.mean - 1.0).abs() < 1e-6 && belief.deviation.is_finite());
}
