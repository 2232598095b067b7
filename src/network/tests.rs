use proptest::prelude::*;

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

#[test]
fn shapes_follow_keras() {
    let x = input(&[3, 32, 31]);
    let strided = |stride, padding| Conv2dOptions {
        stride,
        padding,
        ..Conv2dOptions::default()
    };
    let shape =
        |options: &Conv2dOptions, kernel| x.conv2d(8, kernel, options).unwrap().shape().to_vec();
    assert_eq!(shape(&strided([1, 1], Padding::Same), [4, 5]), [8, 32, 31]);
    assert_eq!(shape(&strided([2, 2], Padding::Same), [3, 3]), [8, 16, 16]);
    assert_eq!(shape(&strided([2, 3], Padding::Valid), [3, 3]), [8, 15, 10]);
    let dilated = Conv2dOptions {
        dilation: [2, 2],
        padding: Padding::Valid,
        ..Conv2dOptions::default()
    };
    assert_eq!(shape(&dilated, [3, 3]), [8, 28, 27]);

    let pooled = x.avg_pool2d([2, 2], &PoolOptions::default()).unwrap();
    assert_eq!(pooled.shape(), [3, 16, 15]);
    let same = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    assert_eq!(x.max_pool2d([3, 3], &same).unwrap().shape(), [3, 32, 31]);
    assert_eq!(x.flatten().unwrap().shape(), [3 * 32 * 31]);
    let wide = Node::concat(&[x.clone(), conv(&x, 5, 1)]).unwrap();
    assert_eq!(wide.shape(), [8, 32, 31]);
    assert_eq!(same_padding(32, 3, 2, 1), [0, 1]);
    assert_eq!(same_padding(31, 4, 1, 1), [1, 2]);
    assert_eq!(same_padding(5, 3, 1, 2), [2, 2]);
    assert_eq!(same_padding(5, 1, 2, 1), [0, 0]);
}

#[test]
fn errors_say_what_does_not_fit() {
    let x = input(&[16, 3, 3]);
    let valid = Conv2dOptions {
        padding: Padding::Valid,
        ..Conv2dOptions::default()
    };
    assert_eq!(
        message(x.conv2d(8, [5, 5], &valid)),
        "conv2d: kernel 5 with padding 'valid' does not fit a 3×3 input"
    );
    assert_eq!(
        message(x.conv2d(8, [3, 5], &valid)),
        "conv2d: kernel 3×5 with padding 'valid' does not fit a 3×3 input"
    );
    assert_eq!(
        message(input(&[64, 8, 8]).dense(10, &DenseOptions::default())),
        "dense: expected a flat input, found shape [64, 8, 8]; use flatten() or global_avg_pool() first"
    );
    assert_eq!(
        message(input(&[16, 8, 8]).add(&input(&[32, 8, 8]))),
        "add: shapes [16, 8, 8] and [32, 8, 8] differ"
    );
    assert_eq!(
        message(Node::concat(&[input(&[16, 8, 8]), input(&[16, 4, 4])])),
        "concat: shapes [16, 8, 8] and [16, 4, 4] differ in height or width"
    );
    assert_eq!(
        message(Node::concat(&[])),
        "concat: expected at least one input, found 0"
    );
    let groups = Conv2dOptions {
        groups: 3,
        ..Conv2dOptions::default()
    };
    assert_eq!(
        message(x.conv2d(9, [3, 3], &groups)),
        "conv2d: groups 3 does not divide the 16 input channels"
    );
    assert_eq!(
        message(x.conv2d(0, [3, 3], &valid)),
        "conv2d filters: expected a positive integer, found 0"
    );
    assert_eq!(
        message(x.dropout(1.0)),
        "dropout rate: expected a number from 0 up to but not including 1, found 1"
    );
    assert_eq!(
        message(x.dropout(f64::NAN)),
        "dropout rate: expected a number from 0 up to but not including 1, found NaN"
    );
    assert_eq!(
        message(x.flatten().unwrap().global_avg_pool()),
        "global_avg_pool: expected an image [channels, height, width], found shape [144]"
    );
    assert_eq!(
        message(Node::input(&[3, 32])),
        "input: expected [channels, height, width] or [features], found shape [3, 32]"
    );
}

#[test]
fn absurd_sizes_are_refused_without_overflow() {
    let huge = usize::MAX / 2;
    let x = input(&[3, 32, 32]);
    assert!(Node::input(&[huge, huge, huge]).is_err());
    assert!(x.conv2d(huge, [3, 3], &Conv2dOptions::default()).is_err());
    assert!(
        x.conv2d(8, [huge, huge], &Conv2dOptions::default())
            .is_err()
    );
    assert!(x.max_pool2d([huge, 1], &PoolOptions::default()).is_err());
    assert!(
        x.flatten()
            .unwrap()
            .dense(huge, &DenseOptions::default())
            .is_err()
    );
    let dilated = Conv2dOptions {
        dilation: [huge, huge],
        ..Conv2dOptions::default()
    };
    assert!(x.conv2d(8, [9, 9], &dilated).is_err());
    let same = PoolOptions {
        stride: Some([huge, huge]),
        padding: Padding::Same,
    };
    assert!(x.max_pool2d([huge, huge], &same).is_err());
}

#[test]
fn cost_is_exact() {
    let net = network(&residual());
    let convs = (3 * 9 * 16 + 16) + (16 * 9 * 16 + 16);
    assert_eq!(net.params(), (convs + 2 * 16 + 10 * 16 + 10) as u64);
    assert_eq!(net.macs(), (64 * (3 * 9 * 16 + 16 * 9 * 16) + 160) as u64);
    let depthwise = Conv2dOptions {
        groups: 16,
        bias: false,
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let net = network(&input(&[16, 8, 8]).conv2d(32, [3, 3], &depthwise).unwrap());
    assert_eq!((net.params(), net.macs()), (32 * 9, 32 * 9 * 16));
}

#[test]
fn dead_nodes_commuted_sums_and_repeated_pure_operations_do_not_count() {
    let x = input(&[3, 8, 8]);
    let (a, b) = (conv(&x, 4, 3), conv(&x, 4, 5));
    let _dead = conv(&a, 7, 1);
    let sum = network(&a.add(&b).unwrap());
    assert_eq!(sum, network(&b.add(&a).unwrap()));
    assert_eq!(sum.nodes().len(), 4);

    let relu = |x: &Node| x.activation(Activation::Relu);
    let (once, twice) = (relu(&a), relu(&a));
    assert_eq!(
        network(&once.add(&once).unwrap()).digest(),
        network(&once.add(&twice).unwrap()).digest()
    );
    let same_input = conv(&input(&[3, 8, 8]), 4, 5);
    assert_eq!(sum.digest(), network(&a.add(&same_input).unwrap()).digest());
}

#[test]
fn shared_weights_differ_from_own_weights() {
    let x = input(&[3, 8, 8]);
    let a = conv(&x, 4, 3);
    let shared = network(&a.add(&a).unwrap());
    let own = network(&a.add(&conv(&x, 4, 3)).unwrap());
    assert_ne!(shared.digest(), own.digest());
    assert_eq!(2 * shared.params(), own.params());
    let order = |first: &Node, second: &Node| {
        network(&Node::concat(&[first.clone(), second.clone()]).unwrap())
    };
    let b = conv(&x, 4, 5);
    assert_ne!(order(&a, &b).digest(), order(&b, &a).digest());
}

#[test]
fn twins_are_told_apart_by_who_reads_them() {
    // Twins summed, and one of them read again: which of the two must not matter.
    let x = input(&[4, 8, 8]);
    let nets = [false, true].map(|swap| {
        let (a, b) = (conv(&x, 4, 3), conv(&x, 4, 3));
        let inner = if swap { b.add(&a) } else { a.add(&b) }.unwrap();
        network(&inner.add(if swap { &b } else { &a }).unwrap())
    });
    assert_eq!(nets[0], nets[1]);
    // Pairs whose choice is linked: (a, c) and (b, d) belong together.
    let nets = [false, true].map(|swap| {
        let [a, b, c, d] = [3, 3, 5, 5].map(|kernel| conv(&x, 4, kernel));
        let (p, q) = (a.add(&c).unwrap(), b.add(&d).unwrap());
        let ab = if swap { b.add(&a) } else { a.add(&b) }.unwrap();
        let cd = c.add(&d).unwrap();
        let relu = |x: Node| x.activation(Activation::Relu);
        let tail = relu(p).add(&relu(q)).unwrap();
        network(&ab.add(&cd).unwrap().add(&tail).unwrap())
    });
    assert_eq!(nets[0], nets[1]);
}

#[test]
fn inputs_of_two_shapes_are_refused() {
    let (a, b) = (input(&[3, 8, 8]), input(&[1, 8, 8]));
    let both = Node::concat(&[a, b]).unwrap();
    let error = Network::from_output(&both).unwrap_err();
    assert_eq!(
        error.to_string(),
        "network inputs: expected one shape, found [3, 8, 8] and [1, 8, 8]"
    );
}

#[test]
fn ten_thousand_nodes_do_not_overflow_a_small_stack() {
    let deep = || {
        let mut x = input(&[2, 4, 4]);
        for _ in 0..5_000 {
            // Twin branches: the hardest case for the canonical order.
            x = conv(&x, 2, 1).add(&conv(&x, 2, 1)).unwrap();
        }
        let net = network(&x);
        let json = serde_json::to_string(&net).unwrap();
        let again: Network = serde_json::from_str(&json).unwrap();
        (net.nodes().len(), again == net)
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(deep);
    assert_eq!(thread.unwrap().join().unwrap(), (15_001, true));
}

#[test]
fn the_summary_is_a_table() {
    let expected = "\
node  op                   reads  output shape  params     MACs
───────────────────────────────────────────────────────────────
   0  input                       [3, 8, 8]          0        0
   1  conv2d 16, kernel 3  0      [16, 8, 8]       448   27,648
   2  batch_norm           1      [16, 8, 8]        32        0
   3  relu                 2      [16, 8, 8]         0        0
   4  conv2d 16, kernel 3  3      [16, 8, 8]     2,320  147,456
   5  add                  3, 4   [16, 8, 8]         0        0
   6  max_pool2d 2         5      [16, 4, 4]         0        0
   7  global_avg_pool      6      [16]               0        0
   8  dense 10             7      [10]             170      160
───────────────────────────────────────────────────────────────
      total                                      2,970  175,264";
    assert_eq!(network(&residual()).to_string(), expected);
}

#[test]
fn json_round_trips_and_hostile_json_is_an_error() {
    let net = network(&residual());
    let json = serde_json::to_string(&net).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), net);
    let refused = |json: &str| {
        serde_json::from_str::<Network>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(r#"{"nodes":[]}"#).contains("at least one node"));
    let input = r#"{"op":{"input":{"shape":[3,8,8]}},"inputs":[],"shape":[3,8,8]}"#;
    let with = |node: &str| refused(&format!(r#"{{"nodes":[{input},{node}]}}"#));
    assert!(with(r#"{"op":"add","inputs":[0,1],"shape":[3,8,8]}"#).contains("nodes before it"));
    assert!(
        with(r#"{"op":"add","inputs":[0,18446744073709551615],"shape":[3,8,8]}"#)
            .contains("nodes before it")
    );
    assert!(with(r#"{"op":"add","inputs":[],"shape":[3,8,8]}"#).contains("at least one input"));
    assert!(with(r#"{"op":"multiply","inputs":[0],"shape":[3,8,8]}"#).contains("2 inputs"));
    assert!(with(r#"{"op":"concat","inputs":[],"shape":[3,8,8]}"#).contains("at least one input"));
    assert!(with(r#"{"op":"global_avg_pool","inputs":[0],"shape":[4]}"#).contains("shape [3]"));
    assert!(with(r#"{"op":{"max_pool2d":{"kernel":[0,2],"stride":[2,2],"padding":"same"}},"inputs":[0],"shape":[3,8,8]}"#).contains("positive"));
    assert!(
        with(r#"{"op":{"input":{"shape":[]}},"inputs":[],"shape":[]}"#)
            .contains("expected [channels")
    );
    assert!(with(r#"{"op":"explode","inputs":[0],"shape":[3]}"#).contains("unknown variant"));
}

#[test]
fn digests_are_hexadecimal() {
    let digest = network(&residual()).digest();
    let text = digest.to_string();
    assert_eq!((text.len(), digest.short().as_str()), (64, &text[..12]));
    assert_eq!(text.parse::<Digest>().unwrap(), digest);
    let json = serde_json::to_string(&digest).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    assert!("zz".parse::<Digest>().is_err());
    assert!(text[1..].parse::<Digest>().is_err());
}

#[test]
fn the_digest_is_stable_across_releases() {
    // A stored study depends on it: a change here loses every stored outcome.
    insta::assert_snapshot!(network(&residual()).digest().short(), @"f950134f7894");
}

/// One step of a random graph: an operation, and which earlier nodes it reads.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    kernel: usize,
    reads: (usize, usize),
    /// The rank in the rebuilt order, and whether a sum is commuted there.
    rank: u32,
    swap: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..6_u8,
        1..3_usize,
        any::<(usize, usize)>(),
        any::<u32>(),
        any::<bool>(),
    );
    prop::collection::vec(
        step.prop_map(|(kind, kernel, reads, rank, swap)| Step {
            kind,
            kernel,
            reads,
            rank,
            swap,
        }),
        1..24,
    )
}

/// The two earlier nodes that step `index` reads; node 0 is the input.
fn reads(steps: &[Step], index: usize) -> (usize, usize) {
    // Recent nodes are preferred, so that graphs are deep and mostly alive.
    let near = |seed: usize| index - seed % 4.min(index + 1);
    let (a, b) = steps[index].reads;
    (near(a), near(b))
}

fn apply(step: &Step, a: &Node, b: &Node, swap: bool) -> Node {
    match step.kind {
        0 => conv(a, 2, step.kernel),
        1 => a.activation(Activation::Relu),
        2 => a.batch_norm(&BatchNormOptions::default()).unwrap(),
        3 => conv(&Node::concat(&[a.clone(), b.clone()]).unwrap(), 2, 1),
        _ if swap => b.add(a).unwrap(),
        _ => a.add(b).unwrap(),
    }
}

/// Builds the graph in the order of the steps.
fn build(steps: &[Step]) -> Network {
    let mut nodes = vec![input(&[2, 4, 4])];
    for (index, step) in steps.iter().enumerate() {
        let (a, b) = reads(steps, index);
        nodes.push(apply(step, &nodes[a], &nodes[b], false));
    }
    network(nodes.last().unwrap())
}

/// Builds the same graph in another order, with sums commuted and dead nodes between.
fn rebuild(steps: &[Step]) -> Network {
    let mut nodes: Vec<Option<Node>> = vec![None; steps.len() + 1];
    nodes[0] = Some(input(&[2, 4, 4]));
    while nodes.iter().any(Option::is_none) {
        let ready = (0..steps.len()).filter(|&index| {
            let (a, b) = reads(steps, index);
            nodes[index + 1].is_none() && nodes[a].is_some() && nodes[b].is_some()
        });
        let index = ready.min_by_key(|&index| steps[index].rank).unwrap();
        let (a, b) = reads(steps, index);
        let (a, b) = (nodes[a].clone().unwrap(), nodes[b].clone().unwrap());
        let _dead = conv(&a, 3, 1);
        nodes[index + 1] = Some(apply(&steps[index], &a, &b, steps[index].swap));
    }
    network(nodes.last().unwrap().as_ref().unwrap())
}

proptest! {
    #[test]
    fn the_order_of_writing_does_not_matter(steps in steps()) {
        prop_assert_eq!(build(&steps), rebuild(&steps));
    }

    #[test]
    fn json_keeps_the_canonical_form(steps in steps()) {
        let net = build(&steps);
        let json = serde_json::to_string(&net).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), net);
    }

    #[test]
    fn an_attribute_changes_the_digest(steps in steps(), at in any::<prop::sample::Index>()) {
        let net = build(&steps);
        let mut json = serde_json::to_value(&net).unwrap();
        let convs: Vec<usize> = (0..net.nodes().len())
            .filter(|&i| matches!(net.nodes()[i].op, Op::Conv2d(_)))
            .collect();
        prop_assume!(!convs.is_empty());
        json["nodes"][convs[at.index(convs.len())]]["op"]["conv2d"]["kernel"] = serde_json::json!([5, 7]);
        let changed: Network = serde_json::from_value(json).unwrap();
        prop_assert_ne!(changed.digest(), net.digest());
    }

    #[test]
    fn params_and_shapes_survive_any_kernel_and_stride(
        size in 1..12_usize, kernel in 1..6_usize, stride in 1..4_usize, dilation in 1..3_usize,
    ) {
        let options = Conv2dOptions {
            stride: [stride; 2], dilation: [dilation; 2], ..Conv2dOptions::default()
        };
        let node = input(&[1, size, size]).conv2d(1, [kernel; 2], &options).unwrap();
        prop_assert_eq!(node.shape(), [1, size.div_ceil(stride), size.div_ceil(stride)]);
        let padded = size + same_padding(size, kernel, stride, dilation).iter().sum::<usize>();
        let valid = Conv2dOptions { padding: Padding::Valid, ..options };
        let padded = input(&[1, padded, padded]).conv2d(1, [kernel; 2], &valid).unwrap();
        prop_assert_eq!(node.shape(), padded.shape());
    }
}
