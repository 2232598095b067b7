//! The canonical form, example by example.

use super::*;

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
fn sums_of_sums_are_one_where_nobody_else_reads_the_inner_one() {
    let x = input(&[3, 8, 8]);
    let [a, b, c] = [1, 3, 5].map(|kernel| conv(&x, 4, kernel));
    let flat = network(&Node::sum(&[a.clone(), b.clone(), c.clone()]).unwrap());
    let inner = b.add(&c).unwrap();
    let nested = a.add(&inner).unwrap();
    assert_eq!(network(&nested), flat);
    // Somebody else reads the inner sum: it is worth keeping.
    let both = network(&nested.multiply(&inner).unwrap());
    assert_eq!(both.nodes().len(), 4 + 3);
    let cat = |nodes: &[Node]| Node::concat(nodes).unwrap();
    assert_eq!(
        network(&cat(&[a.clone(), cat(&[b.clone(), c.clone()])])),
        network(&cat(&[cat(&[a.clone(), b.clone()]), c.clone()]))
    );
    assert_ne!(
        network(&cat(&[a.clone(), cat(&[c.clone(), b.clone()])])).digest(),
        network(&cat(&[a, b, c])).digest()
    );
}

#[test]
fn a_sum_that_is_written_twice_is_the_sum_that_is_read_twice() {
    let x = input(&[3, 8, 8]);
    let [a, b, c] = [1, 3, 5].map(|kernel| conv(&x, 4, kernel));
    let sum = || a.add(&b).unwrap();
    let s = sum();
    assert_eq!(
        network(&s.add(&s).unwrap()),
        network(&sum().add(&sum()).unwrap())
    );
    let pair = |first: &Node, second: &Node| {
        let product = a.multiply(&c).unwrap();
        let (p, q) = (first.add(&c).unwrap(), second.add(&product).unwrap());
        network(&p.multiply(&q).unwrap())
    };
    assert_eq!(pair(&s, &s), pair(&sum(), &sum()));
}

#[test]
fn products_commute_but_differ_from_sums() {
    let x = input(&[3, 8, 8]);
    let (a, b) = (conv(&x, 4, 3), conv(&x, 4, 5));
    let product = network(&a.multiply(&b).unwrap());
    assert_eq!(product, network(&b.multiply(&a).unwrap()));
    assert_ne!(product.digest(), network(&a.add(&b).unwrap()).digest());
    let factor = b.global_avg_pool().unwrap();
    assert_eq!(
        network(&a.multiply(&factor).unwrap()),
        network(&factor.multiply(&a).unwrap())
    );
}
