use burn::tensor::Device;

use super::*;
use crate::seed::Seed;

/// The batch's pixels and labels, as the device holds them.
fn values(batch: Batch) -> (Vec<f32>, Vec<i64>) {
    let images = batch.images.into_data().try_into_vec().unwrap();
    (images, batch.labels.into_data().iter::<i64>().collect())
}

#[test]
fn batches_of_a_device_that_holds_the_split_are_those_of_the_host() {
    let device = Device::flex();
    // 105 pixels an image: images start anywhere in a word.
    let odd = SyntheticOptions {
        shape: [3, 5, 7],
        samples: 200,
        ..SyntheticOptions::default()
    };
    let sets = [
        cifar(&DataOptions::default()),
        synthetic(&odd, &DataOptions::default()).unwrap(),
    ];
    for data in sets {
        for split in [data.train(), data.validation(), data.test()] {
            let resident = split.upload(&device);
            let indices = [3, 0, split.len() - 1, 3, 1];
            let plain = [View::default(); 5];
            assert_eq!(
                values(resident.batch(&indices, &plain)),
                values(split.gather(&indices, None, &device))
            );
            // A crop may show nothing but padding.
            for (flip, pad_crop) in [(true, 0), (false, 4), (true, 4), (true, 40)] {
                let augment = Augment { flip, pad_crop };
                let rng = || Seed(5).stream("augmentation");
                let (mut of_host, mut of_device) = (rng(), rng());
                let views: Vec<View> = indices.map(|_| augment.draw(&mut of_device)).into();
                assert_eq!(
                    values(resident.batch(&indices, &views)),
                    values(split.gather(&indices, Some((&augment, &mut of_host)), &device)),
                    "{augment:?}"
                );
            }
        }
    }
}

#[test]
fn a_split_is_held_once_if_it_is_not_too_large() {
    let device = Device::flex();
    let data = synthetic(&SyntheticOptions::default(), &DataOptions::default()).unwrap();
    let (train, validation) = (data.train(), data.validation());
    assert!(train.held(&device, train.len() * 64).is_some());
    // Others that have the data set find what is there, on a device with gradients too.
    let others = data.clone();
    assert!(others.train().held(&device.clone().autodiff(), 0).is_some());
    assert!(
        validation
            .held(&device, validation.len() * 64 - 1)
            .is_none()
    );
    assert!(validation.held(&device, usize::MAX).is_none());
}
