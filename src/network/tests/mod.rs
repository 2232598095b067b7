//! Tests of networks as data, by subject, and what they share.

mod attributes;
mod canonical;
mod costs;
mod random;
mod rewriting;
mod shapes;
mod skips;
mod written;

use super::*;
use crate::error::Result;

fn input(shape: &[usize]) -> Node {
    Node::input(shape).unwrap()
}

fn conv(x: &Node, filters: usize, kernel: usize) -> Node {
    x.conv2d(filters, [kernel; 2], &Conv2dOptions::default())
        .unwrap()
}

fn network(output: &Node) -> Network {
    Network::from_output(output).unwrap()
}

fn message(result: Result<Node>) -> String {
    result.unwrap_err().to_string()
}

/// A small residual classifier.
fn residual() -> Node {
    let x = conv(&input(&[3, 8, 8]), 16, 3)
        .batch_norm(&BatchNormOptions::default())
        .unwrap()
        .activation(Activation::Relu);
    let y = x.add(&conv(&x, 16, 3)).unwrap();
    y.max_pool2d([2, 2], &PoolOptions::default())
        .unwrap()
        .global_avg_pool()
        .unwrap()
        .dense(10, &DenseOptions::default())
        .unwrap()
}
