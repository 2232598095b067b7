//! A deep ensemble (arXiv 1612.01474): small networks of two hidden layers that start from different
//! weights and see the observations in different orders; how far they differ is how unsure they are.
//! Knows nothing of the scale of objectives: outputs have mean 0 and variance 1.

use rand::RngExt;

use super::cholesky::dot;
use super::encoding::Encoding;
use super::{Belief, Data};
use crate::seed::{Seed, StreamRng};

const NETWORKS: usize = 5;
/// Units of each hidden layer.
const UNITS: usize = 32;
/// Updates by Adam, each on so many observations.
const UPDATES: usize = 300;
const BATCH: usize = 32;
const RATE: f64 = 0.01;
/// Decoupled decay of the weights at each update (arXiv 1711.05101), in units of the rate.
const DECAY: f64 = 0.02;
/// Deviations are at least this much.
const FLOOR: f64 = 0.05;

/// The networks.
#[derive(Clone, Debug, Default)]
pub struct Ensemble(Vec<Network>);

/// Weights of three dense layers.
#[derive(Clone, Debug)]
struct Network([Dense; 3]);

/// A dense layer: for each output its weights by input, then its bias.
#[derive(Clone, Debug)]
struct Dense {
    inputs: usize,
    weights: Vec<f64>,
    /// The moments of Adam.
    moments: Vec<[f64; 2]>,
}

impl Ensemble {
    /// Networks trained on `data`.
    pub fn fitted(encoding: &Encoding, data: &Data, seed: Seed) -> Self {
        let inputs: Vec<Vec<f64>> = data.x.iter().map(|x| features(encoding, x)).collect();
        let mut rng = seed.stream("surrogate/ensemble");
        let network = |_| Network::trained(&inputs, data.y, &mut rng);
        Self((0..NETWORKS).map(network).collect())
    }

    pub fn predict(&self, encoding: &Encoding, x: &[Vec<usize>]) -> Vec<Belief> {
        let belief = |x: &Vec<usize>| {
            let features = features(encoding, x);
            let answer = |network: &Network| network.activations(&features)[3][0];
            let answers: Vec<f64> = self.0.iter().map(answer).collect();
            Belief::of(&answers, FLOOR)
        };
        x.iter().map(belief).collect()
    }
}

/// For each decision 1 at the value taken; of numbers their position too.
fn features(encoding: &Encoding, x: &[usize]) -> Vec<f64> {
    let mut features = Vec::new();
    for (index, place) in x.iter().zip(&encoding.decisions) {
        let one = |i| f64::from(u8::from(i == *index));
        features.extend((0..place.values.len()).map(one));
        if let Some(positions) = &encoding.states[place.state].positions {
            features.push(2.0 * positions[place.values[*index]] - 1.0);
        }
    }
    features
}

impl Network {
    fn trained(inputs: &[Vec<f64>], targets: &[f64], rng: &mut StreamRng) -> Self {
        let width = inputs.first().map_or(0, Vec::len);
        let sizes = [(width, UNITS), (UNITS, UNITS), (UNITS, 1)];
        let mut network = Self(sizes.map(|(inputs, outputs)| Dense::new(inputs, outputs, rng)));
        for update in 1..=UPDATES {
            let mut gradients = network.0.each_ref().map(|l| vec![0.0; l.weights.len()]);
            for _ in 0..BATCH {
                let i = rng.random_range(0..inputs.len());
                network.add_gradient(&inputs[i], targets[i], &mut gradients);
            }
            // The rate falls to 0 along a cosine.
            let done = update as f64 / UPDATES as f64;
            let rate = RATE * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            for (layer, gradient) in network.0.iter_mut().zip(&gradients) {
                layer.update(gradient, rate, update as i32);
            }
        }
        network
    }

    /// The input and the output of each layer.
    fn activations(&self, input: &[f64]) -> [Vec<f64>; 4] {
        let [one, two, last] = &self.0;
        let first = one.outputs(input, true);
        let second = two.outputs(&first, true);
        let answer = last.outputs(&second, false);
        [input.to_vec(), first, second, answer]
    }

    /// Adds the gradient of half the squared error at one observation.
    fn add_gradient(&self, input: &[f64], target: f64, gradients: &mut [Vec<f64>; 3]) {
        let activations = self.activations(input);
        let mut errors = vec![(activations[3][0] - target) / BATCH as f64];
        for (number, layer) in self.0.iter().enumerate().rev() {
            let input = &activations[number];
            let mut below = vec![0.0; layer.inputs];
            let gradient = gradients[number].chunks_exact_mut(layer.inputs + 1);
            let rows = layer.weights.chunks_exact(layer.inputs + 1);
            for ((error, row), gradient) in errors.iter().zip(rows).zip(gradient) {
                if *error == 0.0 {
                    continue;
                }
                for i in 0..layer.inputs {
                    gradient[i] += error * input[i];
                    below[i] += error * row[i];
                }
                gradient[layer.inputs] += error;
            }
            if number > 0 {
                for (error, activation) in below.iter_mut().zip(input) {
                    // The slope of tanh.
                    *error *= 1.0 - activation * activation;
                }
            }
            errors = below;
        }
    }
}

impl Dense {
    /// Uniform weights of variance 1 / inputs (LeCun 1998).
    fn new(inputs: usize, outputs: usize, rng: &mut StreamRng) -> Self {
        let reach = (3.0 / inputs.max(1) as f64).sqrt();
        let weights = (0..outputs * (inputs + 1)).map(|_| rng.random_range(-reach..reach));
        let weights: Vec<f64> = weights.collect();
        let moments = vec![[0.0; 2]; weights.len()];
        Self {
            inputs,
            weights,
            moments,
        }
    }

    fn outputs(&self, input: &[f64], bend: bool) -> Vec<f64> {
        let rows = self.weights.chunks_exact(self.inputs + 1);
        let output = |row: &[f64]| dot(&row[..self.inputs], input) + row[self.inputs];
        let bent = |sum: f64| if bend { sum.tanh() } else { sum };
        rows.map(|row| bent(output(row))).collect()
    }

    /// One step of Adam (arXiv 1412.6980).
    fn update(&mut self, gradient: &[f64], rate: f64, step: i32) {
        let unbiased = [1.0 - 0.9f64.powi(step), 1.0 - 0.999f64.powi(step)];
        let weights = self.weights.iter_mut().zip(&mut self.moments);
        for ((weight, [mean, square]), slope) in weights.zip(gradient) {
            *mean = 0.9 * *mean + 0.1 * slope;
            *square = 0.999 * *square + 0.001 * slope * slope;
            let step = (*mean / unbiased[0]) / ((*square / unbiased[1]).sqrt() + 1e-8);
            *weight -= rate * (step + DECAY * *weight);
        }
    }
}
