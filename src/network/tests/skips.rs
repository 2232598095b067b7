//! Skip connections by anchor points: the three rules of arXiv 1611.01578, §3.3.

use super::*;

/// The image and three layers on it, of different depths and sizes.
fn layers() -> [Node; 4] {
    let image = input(&[3, 8, 9]);
    let strided = Conv2dOptions {
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let a = conv(&image, 4, 3);
    let b = a.conv2d(5, [3, 3], &strided).unwrap();
    let c = conv(&b, 6, 3);
    [image, a, b, c]
}

#[test]
fn a_layer_that_chose_none_reads_the_image() {
    let nodes = layers();
    let read = Node::skips(&nodes, &[]).unwrap();
    assert_eq!(network(&read), network(&nodes[0]));
    assert_eq!(read.shape(), [3, 8, 9]);
    assert_eq!(Node::skips(&nodes[..1], &[]).unwrap().shape(), [3, 8, 9]);
}

#[test]
fn chosen_layers_are_concatenated_in_the_order_of_choice() {
    let nodes = layers();
    let one = Node::skips(&nodes, &[0]).unwrap();
    assert_eq!(network(&one), network(&nodes[1]));
    let expected = Node::concat(&[nodes[3].clone(), nodes[2].clone()]).unwrap();
    let both = Node::skips(&nodes, &[2, 1]).unwrap();
    assert_eq!(network(&both), network(&expected));
    assert_eq!(both.shape(), [11, 4, 5]);
    // The image's own place is not a layer's.
    assert_eq!(
        message(Node::skips(&nodes, &[0, 3])),
        "skips: expected earlier layers from 0 to 2, found 3"
    );
    assert_eq!(
        message(Node::skips(&nodes[..1], &[0])),
        "skips: expected no chosen layer, as there is no earlier one, found 0"
    );
    assert!(Node::skips(&[], &[]).is_err());
}

#[test]
fn smaller_layers_are_padded_with_zeros() {
    let nodes = layers();
    let read = Node::skips(&nodes, &[0, 1]).unwrap();
    assert_eq!(read.shape(), [4 + 5, 8, 9]);
    // 4×5 to 8×9: two rows above and below, two columns on either side.
    let sides = Sides {
        top: 2,
        bottom: 2,
        left: 2,
        right: 2,
    };
    let padded = nodes[2].zero_pad2d(sides).unwrap();
    let expected = Node::concat(&[nodes[1].clone(), padded]).unwrap();
    assert_eq!(network(&read), network(&expected));
}

#[test]
fn each_side_is_padded_to_the_largest_and_the_odd_zero_comes_last() {
    // The tallest is not the widest: both are padded.
    let image = input(&[2, 6, 6]);
    let crop = |bottom, right| {
        let sides = Sides {
            bottom,
            right,
            ..Sides::default()
        };
        image.crop2d(sides).unwrap()
    };
    let (tall, wide) = (crop(0, 3), crop(1, 0));
    let pad = |node: &Node, bottom, left, right| {
        let sides = Sides {
            bottom,
            left,
            right,
            top: 0,
        };
        node.zero_pad2d(sides).unwrap()
    };
    let found = Node::concat_padded(&[tall.clone(), wide.clone()]).unwrap();
    let expected = Node::concat(&[pad(&tall, 0, 1, 2), pad(&wide, 1, 0, 0)]).unwrap();
    assert_eq!(network(&found), network(&expected));
    assert_eq!(found.shape(), [4, 6, 6]);

    // Flat nodes are side by side as they are; beside an image they do not fit.
    let flat = image.global_avg_pool().unwrap();
    let both = Node::concat_padded(&[flat.clone(), flat.clone()]).unwrap();
    assert_eq!(both.shape(), [4]);
    assert_eq!(
        message(Node::concat_padded(&[image, flat])),
        "concat: shapes [2, 6, 6] and [2] differ in rank"
    );
    assert!(Node::concat_padded(&[]).is_err());
}

#[test]
fn what_nobody_reads_goes_to_the_head() {
    let nodes = layers();
    let shapes = |nodes: &[Node]| -> Vec<Vec<usize>> {
        let unread = Node::unread(nodes);
        unread.iter().map(|node| node.shape().to_vec()).collect()
    };
    // Each reads the one before it.
    assert_eq!(shapes(&nodes), [[6, 4, 5]]);
    // A layer that only the image feeds and nobody reads, between the others.
    let [image, a, b, c] = nodes;
    let lone = conv(&image, 7, 1);
    let nodes = [image, a, lone, b, c].map(|node| node.activation(Activation::Tanh));
    // These are other nodes than those that were read: all are ends.
    assert_eq!(shapes(&nodes).len(), 5);
    let ends = Node::unread(&nodes);
    assert_eq!(
        Node::concat_padded(&ends).unwrap().shape(),
        [3 + 4 + 7 + 5 + 6, 8, 9]
    );

    let image = input(&[3, 8, 9]);
    let a = conv(&image, 4, 3);
    let lone = conv(&image, 7, 1);
    // Read through a node that is none of the layers.
    let b = conv(&a.activation(Activation::Relu), 5, 3);
    let layers = [image, a, lone.clone(), b.clone(), lone];
    // In the order of the layers, each once.
    assert_eq!(shapes(&layers), [[7, 8, 9], [5, 8, 9]]);
    assert!(Node::unread(&[]).is_empty());
}
