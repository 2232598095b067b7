//! The policy's weights: an ordered list of named matrices. Knows their names, shapes and first
//! values, not what they compute.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use super::config::ControllerConfig;
use crate::arrays::{Array, Arrays};
use crate::error::{Error, Result};
use crate::seed::StreamRng;
use crate::space::{State, StateSpace};

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

/// All weights of a policy: the embedding table of each state, then the cell's, then kernel and
/// bias of each decision's classifier.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    specs: Arc<[Spec]>,
    values: Vec<Tensor<2>>,
    tables: usize,
    cell: usize,
}

impl Weights {
    /// Draws the first weights of a policy for `layers` layers of `space`.
    pub fn new(
        space: &StateSpace,
        layers: usize,
        config: &ControllerConfig,
        rng: &mut StreamRng,
        device: &Device,
    ) -> Self {
        let (cells, embedding) = (config.controller_cells, config.embedding_dim);
        let table = |(i, size)| {
            let name = format!("embeddings/state_embeddings_{i}");
            Spec::matrix(name, size + 1, embedding, Init::Uniform)
        };
        let classifier = |(d, size)| {
            let kernel = format!("classifier_{d}/kernel");
            let kernel = Spec::matrix(kernel, cells, size, Init::Glorot);
            [
                kernel,
                Spec::bias(format!("classifier_{d}/bias"), size, 0.0),
            ]
        };
        let states = space.states().iter().map(State::size).enumerate();
        let decisions = space.decisions(layers).map(|d| d.state.size()).enumerate();
        let cell = config.cell.specs(embedding, cells);
        let (tables, cell_weights) = (space.size(), cell.len());
        let specs = states.map(table).chain(cell);
        let specs: Arc<[_]> = specs.chain(decisions.flat_map(classifier)).collect();
        let values = specs.iter().map(|s| matrix(s, s.draw(rng), device));
        Self {
            values: values.collect(),
            specs,
            tables,
            cell: cell_weights,
        }
    }

    /// The embedding table of the state `id`, `[size + 1, embedding_dim]`: row 0 stands for "not
    /// decided yet", row i + 1 for the value i.
    pub fn table(&self, id: usize) -> &Tensor<2> {
        &self.values[id]
    }

    /// The weights of the recurrent cell.
    pub fn cell(&self) -> &[Tensor<2>] {
        &self.values[self.tables..self.tables + self.cell]
    }

    /// Kernel `[cells, size]` and bias `[1, size]` of the classifier of decision `d`.
    pub fn classifier(&self, d: usize) -> (&Tensor<2>, &Tensor<2>) {
        let kernel = self.tables + self.cell + 2 * d;
        (&self.values[kernel], &self.values[kernel + 1])
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
