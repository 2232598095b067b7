use std::fs;

use super::*;

const RECORD: usize = 3073;

/// Writes a small CIFAR-10 made of real records, and lets `change` damage the training file.
fn small_cifar(dir: &Path, change: impl Fn(&mut Vec<u8>)) {
    let real = shared().join("cifar-10-batches-bin");
    let folder = dir.join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).unwrap();
    let mut train = fs::read(real.join("data_batch_1.bin")).unwrap();
    train.truncate(40 * RECORD);
    change(&mut train);
    let mut test = fs::read(real.join("test_batch.bin")).unwrap();
    test.truncate(20 * RECORD);
    fs::write(folder.join("data_batch_1.bin"), train).unwrap();
    fs::write(folder.join("test_batch.bin"), test).unwrap();
    let names = fs::read(real.join("batches.meta.txt")).unwrap();
    fs::write(folder.join("batches.meta.txt"), names).unwrap();
}

fn load_from(name: &str, dir: &Path) -> Result<Dataset> {
    load(name, &DataOptions::default(), &DataPaths::only(dir))
}

#[test]
fn damaged_cifar_files_are_named_with_their_record() {
    let dir = tempfile::tempdir().unwrap();
    small_cifar(dir.path(), |train| train.truncate(17 * RECORD + 1000));
    assert_eq!(
        message(load_from("cifar10", dir.path()), dir.path()),
        "cifar-10-batches-bin/data_batch_1.bin, record 17: expected 3073 bytes, found 1000 bytes"
    );
    small_cifar(dir.path(), |train| train[5 * RECORD] = 10);
    assert_eq!(
        message(load_from("cifar10", dir.path()), dir.path()),
        "cifar-10-batches-bin/data_batch_1.bin, record 5: expected a label from 0 to 9, found 10"
    );
    small_cifar(dir.path(), |_| ());
    fs::write(
        dir.path().join("cifar-10-batches-bin/batches.meta.txt"),
        "cat\n",
    )
    .unwrap();
    assert_eq!(
        message(load_from("cifar10", dir.path()), dir.path()),
        "cifar-10-batches-bin/batches.meta.txt: expected 10 class names, found 1"
    );
}

#[test]
fn an_archive_a_folder_and_the_folder_itself_are_one_data_set() {
    let dir = tempfile::tempdir().unwrap();
    small_cifar(dir.path(), |_| ());
    let folder = dir.path().join("cifar-10-batches-bin");
    // A second training file, and an archive in which the files are in no order.
    let batch = fs::read(folder.join("data_batch_1.bin")).unwrap();
    fs::write(folder.join("data_batch_3.bin"), &batch[..9 * RECORD]).unwrap();
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let names = [
        "test_batch.bin",
        "data_batch_3.bin",
        "batches.meta.txt",
        "data_batch_1.bin",
    ];
    let files: Vec<_> = names
        .iter()
        .map(|n| (format!("cifar-10-batches-bin/{n}"), read(n)))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    let other = tempfile::tempdir().unwrap();
    let archive = other.path().join("cifar-10-binary.tar.gz");
    let bytes = tar_gz(&files);
    fs::write(&archive, &bytes).unwrap();

    let all = [dir.path(), &folder, other.path()].map(|dir| load_from("cifar10", dir).unwrap());
    assert_eq!(
        all[0].split_key(),
        "train=44 validation=5 test=20 split_seed=0"
    );
    assert_eq!(all[0].content_hash(), all[1].content_hash());
    assert_eq!(all[0].content_hash(), all[2].content_hash());

    fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    let cut = message(load_from("cifar10", other.path()), other.path());
    assert!(
        cut.contains("cifar-10-binary.tar.gz") && cut.contains("expected an intact file"),
        "{cut}"
    );
}

#[test]
fn cifar100_takes_the_fine_label() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    let records = |count: u8| -> Vec<u8> {
        let record = |i: u8| [vec![7, i], vec![i; 3072]].concat();
        (0..count).flat_map(record).collect()
    };
    let names: String = (0..100).map(|i| format!("class{i}\n")).collect();
    fs::write(folder.join("train.bin"), records(100)).unwrap();
    fs::write(folder.join("test.bin"), records(50)).unwrap();
    fs::write(folder.join("fine_label_names.txt"), names).unwrap();
    let data = load_from("cifar100", dir.path()).unwrap();
    assert_eq!(data.classes().len(), 100);
    let train = data.train();
    assert!((0..train.len()).all(|i| train.label(i) == train.record(i)));
    fs::write(folder.join("test.bin"), records(101)).unwrap();
    assert_eq!(
        message(load_from("cifar100", dir.path()), dir.path()),
        "cifar-100-binary/test.bin, record 100: expected a label from 0 to 99, found 100"
    );
}

fn idx(magic: u32, dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
    let head = [&[magic], dimensions].concat();
    let head = head.into_iter().flat_map(u32::to_be_bytes);
    head.chain(bytes.iter().copied()).collect()
}

/// The four files of a small MNIST: 20 training and 10 test images of 2 x 3 pixels.
fn small_mnist() -> Vec<(&'static str, Vec<u8>)> {
    let images = |n: u8| idx(0x0803, &[n.into(), 2, 3], &(0..n * 6).collect::<Vec<_>>());
    let labels = |n: u8| {
        idx(
            0x0801,
            &[n.into()],
            &(0..n).map(|i| i % 10).collect::<Vec<_>>(),
        )
    };
    vec![
        ("train-images-idx3-ubyte", images(20)),
        ("train-labels-idx1-ubyte", labels(20)),
        ("t10k-images-idx3-ubyte", images(10)),
        ("t10k-labels-idx1-ubyte", labels(10)),
    ]
}

#[test]
fn idx_files_are_read_gzipped_or_not() {
    let (plain, zipped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&plain, &zipped] {
        fs::create_dir(dir.path().join("mnist")).unwrap();
    }
    for (name, bytes) in small_mnist() {
        fs::write(plain.path().join("mnist").join(name), &bytes).unwrap();
        fs::write(
            zipped.path().join("mnist").join(format!("{name}.gz")),
            gzip(&bytes),
        )
        .unwrap();
    }
    let data = load_from("mnist", plain.path()).unwrap();
    assert_eq!(data.shape(), [1, 2, 3]);
    assert_eq!(
        data.split_key(),
        "train=18 validation=2 test=10 split_seed=0"
    );
    let same = load_from("mnist", zipped.path()).unwrap();
    assert_eq!(data.content_hash(), same.content_hash());
    let test = data.test();
    assert!((0..10).all(|i| test.label(i) == test.record(i) - 20));
}

#[test]
fn damaged_idx_files_are_named_with_what_is_wrong() {
    let broken = |file: &str, bytes: Vec<u8>| {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("fashion_mnist");
        fs::create_dir(&folder).unwrap();
        for (name, good) in small_mnist() {
            let bytes = if name == file { &bytes } else { &good };
            fs::write(folder.join(name), bytes).unwrap();
        }
        let text = message(load_from("fashion_mnist", dir.path()), dir.path());
        text.replace("fashion_mnist/", "")
    };
    let (images, labels) = ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    assert_eq!(
        broken(images, idx(0x0803, &[20, 2, 3], &[0; 50])),
        "train-images-idx3-ubyte, record 8: expected 6 bytes, found 2 bytes"
    );
    assert_eq!(
        broken(images, idx(0x0803, &[20, 2, 3], &[0; 60])),
        "train-images-idx3-ubyte, record 10: expected 6 bytes, found 0 bytes"
    );
    assert_eq!(
        broken(images, idx(0x0803, &[20, 2, 3], &[0; 121])),
        "train-images-idx3-ubyte: expected the end after 20 records, found more"
    );
    assert_eq!(
        broken(images, idx(0x0801, &[20], &[0; 20])),
        "train-images-idx3-ubyte: expected IDX magic number 0x00000803 (bytes, 3 dimensions), \
         found 0x00000801"
    );
    assert_eq!(
        broken(images, idx(0x0803, &[20, 0, 3], &[])),
        "train-images-idx3-ubyte: expected images with sides of 1 to 4096 pixels, found 0 x 3"
    );
    assert_eq!(
        broken("t10k-images-idx3-ubyte", idx(0x0803, &[10, 3, 2], &[0; 60])),
        "t10k-images-idx3-ubyte: expected images of 2 x 3 pixels, found 3 x 2"
    );
    assert_eq!(
        broken(labels, idx(0x0801, &[9], &[0; 9])),
        "t10k-labels-idx1-ubyte: expected 10 labels, as many as there are images, found 9"
    );
    assert_eq!(
        broken(labels, idx(0x0801, &[10], &[0, 1, 2, 11, 4, 5, 6, 7, 8, 9])),
        "t10k-labels-idx1-ubyte, record 3: expected a label from 0 to 9, found 11"
    );
    assert_eq!(
        broken(labels, vec![0, 0]),
        "t10k-labels-idx1-ubyte: expected 4 bytes of magic number, found 2 bytes"
    );
}

#[test]
fn digits_are_built_in() {
    let data = load_from("digits", Path::new("/nowhere")).unwrap();
    assert_eq!(data.shape(), [1, 8, 8]);
    assert_eq!(
        data.split_key(),
        "train=1222 validation=216 test=359 split_seed=0"
    );
    assert!(data.summary().contains("E. Alpaydin and C. Kaynak"));
    assert!(data.summary().contains("pixels 0-16"));
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let hint = |name| {
        format!(
            "run `nas-script data fetch {name}`, or name the folder that holds it with --data-dir"
        )
    };
    assert_eq!(
        load_from("cifar10", dir.path()).unwrap_err().to_string(),
        format!(
            "data set 'cifar10' not found: looked for cifar-10-batches-bin/ or \
             cifar-10-binary.tar.gz in {at}; {}",
            hint("cifar10")
        )
    );
    small_cifar(dir.path(), |_| ());
    fs::remove_file(dir.path().join("cifar-10-batches-bin/test_batch.bin")).unwrap();
    assert_eq!(
        load_from("cifar10", dir.path()).unwrap_err().to_string(),
        format!(
            "data set 'cifar10' not found: looked for test_batch.bin in \
             {at}/cifar-10-batches-bin; {}",
            hint("cifar10")
        )
    );
    let unknown = load_from("cifar_10", dir.path()).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "unknown data set 'cifar_10'; did you mean 'cifar10'?"
    );
}

#[test]
fn the_catalogue_tells_what_is_here() {
    let sets = catalog(&DataPaths::only(&shared()));
    let names: Vec<_> = sets.iter().map(|set| set.name).collect();
    assert_eq!(
        names,
        ["digits", "cifar10", "cifar100", "mnist", "fashion_mnist"]
    );
    assert!(sets[0].built_in && sets[0].files.is_empty());
    assert_eq!(sets[1].found, Some(shared().join("cifar-10-batches-bin")));
    assert_eq!(sets[2].found, None);
    let files: Vec<_> = sets.iter().flat_map(|set| &set.files).collect();
    assert_eq!(files.len(), 10);
    for file in files {
        assert!(file.url.ends_with(&file.file), "{file:?}");
        assert_eq!(file.sha256.as_ref().map(String::len), Some(64), "{file:?}");
    }
}
