//! The policy's weights: an ordered list of named matrices. Knows their names, shapes and first
//! values, not what they compute.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use super::config::{ControllerConfig, Mode};
use super::steps::Steps;
use crate::arrays::{Array, Arrays};
use crate::error::{Error, Result};
use crate::seed::StreamRng;
use crate::space::{Domain, State, StateSpace};

/// How a weight starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Init {
    /// Uniform within ±1.
    Uniform,
    /// Uniform within ±√(6 / (rows + columns)) (Glorot and Bengio 2010).
    Glorot,
    /// All the same.
    Constant(f32),
}

/// One weight: its name, shape and start.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub name: String,
    /// `[rows, columns]`, or `[columns]` of a bias.
    pub shape: Vec<usize>,
    init: Init,
}

impl Spec {
    pub fn matrix(name: impl Into<String>, rows: usize, columns: usize, init: Init) -> Self {
        Self {
            name: name.into(),
            shape: vec![rows, columns],
            init,
        }
    }

    pub fn bias(name: impl Into<String>, columns: usize, value: f32) -> Self {
        Self {
            name: name.into(),
            shape: vec![columns],
            init: Init::Constant(value),
        }
    }

    /// The shape in memory, where a bias is a row.
    pub fn matrix_shape(&self) -> [usize; 2] {
        match self.shape[..] {
            [rows, columns] => [rows, columns],
            _ => [1, self.shape.iter().product()],
        }
    }

    /// The first values, drawn on the host so that they are the same on every device.
    fn draw(&self, rng: &mut StreamRng) -> Vec<f32> {
        let [rows, columns] = self.matrix_shape();
        let within = |limit: f32, rng: &mut StreamRng| {
            let draws = 0..rows * columns;
            draws.map(|_| rng.random_range(-limit..limit)).collect()
        };
        match self.init {
            Init::Uniform => within(1.0, rng),
            Init::Glorot => within((6.0 / (rows + columns) as f32).sqrt(), rng),
            Init::Constant(value) => vec![value; rows * columns],
        }
    }
}

/// The weights of an anchor's attention (arXiv 1611.01578, §3.3).
pub(super) struct AnchorWeights<'a> {
    /// Of the anchor's output at an earlier layer, `[cells, cells]`.
    pub previous: &'a Tensor<2>,
    /// Of its output at the layer that chooses, `[cells, cells]`.
    pub current: &'a Tensor<2>,
    /// From their sum to a logit, `[cells, 1]`.
    pub v: &'a Tensor<2>,
}

/// All weights of a policy: the embedding table of each state, then the cell's, then kernel and
/// bias of each decision's classifier, then those of each anchor.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    specs: Arc<[Spec]>,
    values: Vec<Tensor<2>>,
    tables: usize,
    cell: usize,
    classifiers: usize,
}

impl Weights {
    /// Draws the first weights of a policy that walks `steps`, those of `layers` layers of `space`.
    pub fn new(
        space: &StateSpace,
        layers: usize,
        steps: &Steps,
        config: &ControllerConfig,
        rng: &mut StreamRng,
        device: &Device,
    ) -> Self {
        let (cells, embedding) = (config.controller_cells, config.embedding_dim);
        let table = |state: &State| {
            let name = format!("embeddings/state_embeddings_{}", state.id);
            let rows = state.domain.vocabulary(layers) + 1;
            Spec::matrix(name, rows, embedding, Init::Uniform)
        };
        // What logits are in proportion to: all 0 makes every first softmax uniform.
        let logits = match config.mode {
            Mode::Original => Init::Glorot,
            _ if config.uniform_start => Init::Constant(0.0),
            _ => Init::Glorot,
        };
        let classifier = |(d, size)| {
            let kernel = format!("classifier_{d}/kernel");
            let kernel = Spec::matrix(kernel, cells, size, logits);
            [
                kernel,
                Spec::bias(format!("classifier_{d}/bias"), size, 0.0),
            ]
        };
        let anchor = |state: &State| {
            let id = state.id;
            let matrix = |name, columns, init| {
                Spec::matrix(format!("anchor_{id}/{name}"), cells, columns, init)
            };
            [
                matrix("w_prev", cells, Init::Glorot),
                matrix("w_curr", cells, Init::Glorot),
                matrix("v", 1, logits),
            ]
        };
        let cell = config.cell.specs(embedding, cells);
        let (tables, cell_weights) = (space.size(), cell.len());
        let specs = space.states().iter().map(table).chain(cell);
        let specs = specs.chain(steps.classifiers().flat_map(classifier));
        let anchors = space.states().iter().filter(|s| s.domain == Domain::Anchor);
        let specs: Arc<[_]> = specs.chain(anchors.flat_map(anchor)).collect();
        let values = specs.iter().map(|s| matrix(s, s.draw(rng), device));
        Self {
            values: values.collect(),
            specs,
            tables,
            cell: cell_weights,
            classifiers: steps.classifiers().count(),
        }
    }

    /// The embedding table of the state `id`, `[vocabulary + 1, embedding_dim]`: row 0 stands for
    /// "not decided yet" (of an anchor "none"), row i + 1 for the value, input or layer i.
    pub fn table(&self, id: usize) -> &Tensor<2> {
        &self.values[id]
    }

    /// The weights of the recurrent cell.
    pub fn cell(&self) -> &[Tensor<2>] {
        &self.values[self.tables..self.tables + self.cell]
    }

    /// Kernel `[cells, size]` and bias `[1, size]` of a classifier, by its position among them.
    pub fn classifier(&self, number: usize) -> (&Tensor<2>, &Tensor<2>) {
        let kernel = self.tables + self.cell + 2 * number;
        (&self.values[kernel], &self.values[kernel + 1])
    }

    /// The weights of an anchor, by its position among them.
    pub fn anchor(&self, number: usize) -> AnchorWeights<'_> {
        let first = self.tables + self.cell + 2 * self.classifiers + 3 * number;
        AnchorWeights {
            previous: &self.values[first],
            current: &self.values[first + 1],
            v: &self.values[first + 2],
        }
    }

    /// Every weight, in order.
    pub fn values(&self) -> &[Tensor<2>] {
        &self.values
    }

    /// Name, shape and start of every weight, in order.
    pub fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// The same weights with other values, in order.
    pub fn with_values(&self, values: Vec<Tensor<2>>) -> Self {
        Self {
            values,
            ..self.clone()
        }
    }

    /// The mean of these weights and `others`, which are called alike.
    pub fn mean<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut sums, mut count) = (self.values.clone(), 1.0);
        for other in others {
            let pairs = sums.into_iter().zip(&other.values);
            sums = pairs.map(|(sum, value)| sum + value.clone()).collect();
            count += 1.0;
        }
        let mean = |sum: Tensor<2>| sum.div_scalar(count);
        self.with_values(sums.into_iter().map(mean).collect())
    }

    /// The same values as leaves of a gradient graph.
    pub fn tracked(&self) -> Self {
        let leaf = |value: &Tensor<2>| value.clone().autodiff().require_grad();
        self.with_values(self.values.iter().map(leaf).collect())
    }

    /// Where the weights live; a gradient device for [`tracked`](Self::tracked) ones.
    pub fn device(&self) -> Device {
        self.values[0].device()
    }

    /// Reads the weights back.
    pub fn to_arrays(&self) -> Result<Arrays> {
        let named = self.specs.iter().zip(&self.values);
        let named = named.map(|(spec, value)| {
            let values = read(value.clone().reshape([-1]))?;
            let shape = spec.shape.clone();
            Ok((spec.name.clone(), Array { shape, values }))
        });
        named.collect()
    }

    /// The weights called as these are, with the values of `arrays`.
    pub fn with_arrays(&self, arrays: &Arrays) -> Result<Self> {
        let known = || self.specs.iter().map(|s| s.name.as_str());
        if let Some(name) = arrays.keys().find(|name| known().all(|k| k != **name)) {
            return Err(Error::unknown("weight", name, known()));
        }
        let device = self.device();
        let load = |spec: &Spec| {
            let what = || format!("weight '{}'", spec.name);
            let expected = format!("shape {:?}", spec.shape);
            let Some(Array { shape, values }) = arrays.get(&spec.name) else {
                return Err(Error::invalid(what(), expected, "none"));
            };
            if *shape != spec.shape || values.len() != shape.iter().product::<usize>() {
                let found = format!("shape {shape:?} with {} values", values.len());
                return Err(Error::invalid(what(), expected, found));
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite()) {
                return Err(Error::invalid(what(), "finite numbers", value));
            }
            Ok(matrix(spec, values.clone(), &device))
        };
        let values = self.specs.iter().map(load).collect::<Result<_>>()?;
        Ok(self.with_values(values))
    }
}

fn matrix(spec: &Spec, values: Vec<f32>, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, spec.matrix_shape()), device)
}

/// Reads a tensor to the host.
pub(super) fn read(tensor: Tensor<1>) -> Result<Vec<f32>> {
    let failed = |e| Error::invalid("result of the controller's network", "readable values", e);
    tensor.try_into_vec_as().map_err(failed)
}
