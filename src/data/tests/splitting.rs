use std::collections::BTreeSet;

use burn::tensor::Device;

use super::*;
use crate::data::normalise::Normaliser;
use crate::data::raw::{Parts, Raw};
use crate::seed::Seed;

fn records(split: &Split) -> Vec<usize> {
    (0..split.len()).map(|i| split.record(i)).collect()
}

fn per_class(split: &Split, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    (0..split.len()).for_each(|i| counts[split.label(i)] += 1);
    counts
}

#[test]
fn real_cifar_is_divided_in_balance_and_without_overlap() {
    let data = cifar(&DataOptions::default());
    assert_eq!(
        data.split_key(),
        "train=9000 validation=1000 test=2000 split_seed=0"
    );
    assert_eq!(data.shape(), [3, 32, 32]);
    assert_eq!(data.classes()[9], "truck");
    assert_eq!(per_class(data.train(), 10), [900; 10]);
    assert_eq!(per_class(data.validation(), 10), [100; 10]);
    assert_eq!(per_class(data.test(), 10), [200; 10]);
    let splits = [data.train(), data.validation(), data.test()];
    let all: BTreeSet<_> = splits.into_iter().flat_map(records).collect();
    assert_eq!(all.len(), 12_000);
    assert!(
        data.summary().contains("A. Krizhevsky"),
        "{}",
        data.summary()
    );
}

#[test]
fn the_training_split_is_normalised_and_batches_follow_their_indices() {
    let data = cifar(&DataOptions::default());
    let device = Device::flex();
    let all: Vec<_> = (0..data.train().len()).collect();
    let images = data.train().batch(&all, None, &device).images;
    let pixels = images.into_data().try_to_vec::<f32>().unwrap();
    for channel in 0..3 {
        let of_channel = pixels.chunks(1024).skip(channel).step_by(3).flatten();
        let (mut sum, mut squares) = (0.0, 0.0);
        for pixel in of_channel {
            sum += f64::from(*pixel);
            squares += f64::from(*pixel).powi(2);
        }
        let count = (9000 * 1024) as f64;
        assert!((sum / count).abs() < 1e-4, "mean {}", sum / count);
        assert!(
            (squares / count - 1.0).abs() < 1e-4,
            "variance {}",
            squares / count
        );
    }
    let batch = data.train().batch(&[5, 3, 5], None, &device);
    assert_eq!(batch.images.dims(), [3, 3, 32, 32]);
    let picked = batch.images.into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(picked[..3072], pixels[5 * 3072..6 * 3072]);
    assert_eq!(picked[3072..6144], pixels[3 * 3072..4 * 3072]);
    let labels = batch.labels.into_data().iter::<i64>().collect::<Vec<_>>();
    let label = |i| data.train().label(i) as i64;
    assert_eq!(labels, [label(5), label(3), label(5)]);
}

#[test]
fn splits_depend_on_their_options_alone() {
    let options = |train, split_seed| DataOptions {
        train: Some(train),
        validation: Some(200),
        test: Some(300),
        split_seed,
    };
    let load = |options| load("digits", &options, &DataPaths::new(None)).unwrap();
    let (a, b, larger, other) = (
        load(options(500, 0)),
        load(options(500, 0)),
        load(options(900, 0)),
        load(options(500, 1)),
    );
    assert_eq!(records(a.train()), records(b.train()));
    assert_eq!(records(a.train()), records(larger.train())[..500]);
    assert_eq!(records(a.validation()), records(larger.validation()));
    assert_ne!(records(a.train()), records(other.train()));
    assert_eq!(a.content_hash(), other.content_hash());
    assert_eq!(a.content_hash().len(), 64);
    for count in per_class(a.train(), 10) {
        assert!((46..=54).contains(&count), "{count} of about 50");
    }
}

#[test]
fn impossible_splits_are_refused_with_what_is_possible() {
    let refused = |train, validation, test| {
        let options = DataOptions {
            train,
            validation,
            test,
            split_seed: 0,
        };
        let result = synthetic(&SyntheticOptions::default(), &options);
        result.unwrap_err().to_string()
    };
    let expected = |option: &str, range: &str, found: usize| {
        format!(
            "option '{option}' of data set 'synthetic': expected {range} records, found {found}"
        )
    };
    assert_eq!(
        refused(Some(751), Some(50), None),
        expected("train", "1 to 750", 751)
    );
    assert_eq!(
        refused(Some(0), None, None),
        expected("train", "1 to 720", 0)
    );
    assert_eq!(
        refused(None, Some(0), None),
        expected("validation", "1 to 799", 0)
    );
    assert_eq!(
        refused(None, Some(800), None),
        expected("validation", "1 to 799", 800)
    );
    assert_eq!(
        refused(None, None, Some(999)),
        expected("test", "0 to 998", 999)
    );
}

#[test]
fn validation_gives_way_to_an_explicit_training_size() {
    let options = DataOptions {
        train: Some(790),
        ..DataOptions::default()
    };
    let data = synthetic(&SyntheticOptions::default(), &options).unwrap();
    assert_eq!(
        data.split_key(),
        "train=790 validation=10 test=200 split_seed=0"
    );
}

/// One channel of 3 x 4 pixels, none of them 0.
fn small() -> (Raw, Normaliser) {
    let raw = Raw {
        name: "small".into(),
        attribution: String::new(),
        shape: [1, 3, 4],
        brightest: 12,
        classes: vec!["a".into()],
        pixels: (1..=12).collect(),
        labels: vec![0],
        parts: Parts::default(),
        validation_percent: 10,
    };
    let normaliser = Normaliser::measure(&raw, &[0]);
    (raw, normaliser)
}

/// What `view` shows, back in raw pixels.
fn shown(flip: bool, down: isize, right: isize) -> Vec<i64> {
    let (raw, normaliser) = small();
    let mut out = [0.0; 12];
    normaliser.write(raw.image(0), 4, View { flip, down, right }, &mut out);
    let channel = &normaliser.channels()[0];
    let raw_pixel = |v: f32| (f64::from(v) * channel.std + channel.mean).round() as i64;
    out.into_iter().map(raw_pixel).collect()
}

#[test]
fn views_mirror_and_shift_with_black_padding() {
    assert_eq!(shown(false, 0, 0), (1..=12).collect::<Vec<_>>());
    assert_eq!(shown(true, 0, 0), [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9]);
    assert_eq!(shown(false, 1, -1), [0, 5, 6, 7, 0, 9, 10, 11, 0, 0, 0, 0]);
    assert_eq!(shown(false, -1, 2), [0, 0, 0, 0, 3, 4, 0, 0, 7, 8, 0, 0]);
    assert_eq!(shown(true, 0, 1), [3, 2, 1, 0, 7, 6, 5, 0, 11, 10, 9, 0]);
    assert_eq!(shown(true, 0, -1), [0, 4, 3, 2, 0, 8, 7, 6, 0, 12, 11, 10]);
    assert_eq!(shown(false, 3, 0), [0; 12]);
    assert_eq!(shown(false, 0, 9), [0; 12]);
}

#[test]
fn augmentation_draws_every_change_from_its_own_generator() {
    let draw = |augment: Augment, n| -> Vec<View> {
        let mut rng = Seed(0).stream("augmentation");
        (0..n).map(|_| augment.draw(&mut rng)).collect()
    };
    let none = Augment::default();
    assert!(draw(none, 10).iter().all(|view| *view == View::default()));
    let both = Augment {
        flip: true,
        pad_crop: 2,
    };
    let views = draw(both, 2000);
    assert_eq!(views, draw(both, 2000));
    let flips = views.iter().filter(|view| view.flip).count();
    assert!((900..1100).contains(&flips), "{flips} of 2000");
    let places: BTreeSet<_> = views.iter().map(|view| (view.down, view.right)).collect();
    assert_eq!(places.len(), 25);

    let data = synthetic(&SyntheticOptions::default(), &DataOptions::default()).unwrap();
    let batch = |seed: u64| {
        let mut rng = Seed(seed).stream("augmentation");
        let batch = data
            .train()
            .batch(&[0, 1, 2, 3], Some((&both, &mut rng)), &Device::flex());
        batch.images.into_data().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(batch(1), batch(1));
    assert_ne!(batch(1), batch(2));
}

#[test]
fn synthetic_images_lie_nearest_to_the_mean_of_their_class() {
    let data = synthetic(&SyntheticOptions::default(), &DataOptions::default()).unwrap();
    assert_eq!(data.shape(), [1, 8, 8]);
    let images = |split: &Split| {
        let all: Vec<_> = (0..split.len()).collect();
        let images = split.batch(&all, None, &Device::flex()).images;
        images.into_data().try_to_vec::<f32>().unwrap()
    };
    let mut means = vec![vec![0f32; 64]; 4];
    for (i, image) in images(data.train()).chunks(64).enumerate() {
        let mean = &mut means[data.train().label(i)];
        mean.iter_mut()
            .zip(image)
            .for_each(|(m, p)| *m += p / 180.0);
    }
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let tested = images(data.test());
    let right = tested.chunks(64).enumerate().filter(|(i, image)| {
        let nearest = (0..4)
            .min_by(|a, b| distance(&means[*a], image).total_cmp(&distance(&means[*b], image)));
        nearest == Some(data.test().label(*i))
    });
    assert!(right.count() > 190);
}

#[test]
fn wrong_synthetic_options_are_refused() {
    let refused = |change: &dyn Fn(&mut SyntheticOptions)| {
        let mut options = SyntheticOptions::default();
        change(&mut options);
        let result = synthetic(&options, &DataOptions::default());
        result.unwrap_err().to_string()
    };
    let message = refused(&|o| o.classes = 1);
    let expected = "option 'classes' of synthetic data: expected 2 to 1000, found 1";
    assert_eq!(message, expected);
    assert!(refused(&|o| o.samples = 3).contains("at least 4"));
    assert!(refused(&|o| o.noise = f64::NAN).contains("finite"));
    assert!(refused(&|o| o.shape = [1, 0, 8]).contains("[1, 0, 8]"));
    assert!(refused(&|o| o.shape = [usize::MAX, 9, 8]).contains("at most"));
}
