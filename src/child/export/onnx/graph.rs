//! A graph as it grows: its nodes, its constants and their attributes. Knows ONNX's messages, not
//! networks.

use super::proto::{
    AttributeProto, AttributeType, Dimension, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::error::{Error, Result};

/// The nodes and the constants so far. A value has the name of the node that makes it.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Graph {
    /// Applies the operator `op` and returns the name of its value, which is `name`.
    pub fn node<const N: usize>(
        &mut self,
        name: String,
        op: &str,
        inputs: Vec<String>,
        attributes: [AttributeProto; N],
    ) -> String {
        self.nodes.push(NodeProto {
            input: inputs,
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some(op.to_string()),
            attribute: attributes.into(),
        });
        name
    }

    /// Adds a constant of numbers and returns its name.
    pub fn floats(&mut self, name: String, shape: &[usize], values: &[f32]) -> Result<String> {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Ok(self.constant(name, integers(shape)?, FLOAT, data))
    }

    /// Adds a number without dimensions and returns its name.
    pub fn scalar(&mut self, name: String, value: f32) -> String {
        self.constant(name, vec![], FLOAT, value.to_le_bytes().into())
    }

    /// Adds a row of integers and returns its name.
    pub fn row(&mut self, name: String, values: &[i64]) -> Result<String> {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Ok(self.constant(name, integers(&[values.len()])?, INT64, data))
    }

    fn constant(&mut self, name: String, dims: Vec<i64>, kind: i32, data: Vec<u8>) -> String {
        self.constants.push(TensorProto {
            dims,
            data_type: Some(kind),
            name: Some(name.clone()),
            raw_data: Some(data),
        });
        name
    }

    /// The graph from `input` to the value `last`, which gets the name of `output`.
    pub fn finish(
        mut self,
        input: ValueInfoProto,
        last: &str,
        output: ValueInfoProto,
    ) -> GraphProto {
        let values = self
            .nodes
            .iter_mut()
            .flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for value in values.filter(|value| *value == last) {
            *value = output.name.clone().unwrap_or_default();
        }
        GraphProto {
            node: self.nodes,
            name: Some("child".into()),
            initializer: self.constants,
            input: vec![input],
            output: vec![output],
        }
    }
}

/// An input or an output of f32 numbers: a batch of what has the shape `shape`.
pub(super) fn batch_of(name: &str, shape: &[usize]) -> Result<ValueInfoProto> {
    let batch = Dimension {
        dim_value: None,
        dim_param: Some("batch".into()),
    };
    let sides = integers(shape)?.into_iter().map(|side| Dimension {
        dim_value: Some(side),
        dim_param: None,
    });
    let dim = std::iter::once(batch).chain(sides).collect();
    Ok(ValueInfoProto {
        name: Some(name.to_string()),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(FLOAT),
                shape: Some(TensorShapeProto { dim }),
            }),
        }),
    })
}

/// An attribute that is an integer.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: Some(value),
        ..attribute(name, AttributeType::Int)
    }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: impl Into<Vec<i64>>) -> AttributeProto {
    AttributeProto {
        ints: values.into(),
        ..attribute(name, AttributeType::Ints)
    }
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        f: Some(value as f32),
        ..attribute(name, AttributeType::Float)
    }
}

/// An attribute that is a word.
pub(super) fn word(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: Some(value.into()),
        ..attribute(name, AttributeType::String)
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_string()),
        r#type: Some(kind.into()),
        ..AttributeProto::default()
    }
}

/// Sizes as ONNX has them.
///
/// # Errors
/// [`Error::Invalid`] for a size beyond 2⁶³ - 1.
pub(super) fn integers(sizes: &[usize]) -> Result<Vec<i64>> {
    sizes.iter().map(|&size| integer(size)).collect()
}

/// A size as ONNX has it.
///
/// # Errors
/// [`Error::Invalid`] for a size beyond 2⁶³ - 1.
pub(super) fn integer(size: usize) -> Result<i64> {
    let too_large = |_| Error::invalid("ONNX model", format!("sizes up to {}", i64::MAX), size);
    i64::try_from(size).map_err(too_large)
}
