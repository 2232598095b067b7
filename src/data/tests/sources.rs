//! Data sets that are opened again from their sources, as a worker does elsewhere.

use std::fs;

use image::{GrayImage, Luma};

use super::*;

const OPTIONS: DataOptions = DataOptions {
    train: Some(40),
    validation: Some(10),
    test: Some(10),
    split_seed: 3,
};

/// Sends the source of `data` through JSON and opens it.
fn again(data: &Dataset, paths: &DataPaths) -> Result<Dataset> {
    let sent = serde_json::to_string(data.source()).unwrap();
    let source = serde_json::from_str(&sent).unwrap();
    assert_eq!(&source, data.source(), "{sent}");
    open(&source, paths)
}

fn assert_same(found: &Dataset, expected: &Dataset) {
    assert_eq!(found.name(), expected.name());
    assert_eq!(found.split_key(), expected.split_key());
    assert_eq!(found.content_hash(), expected.content_hash());
    let records = |data: &Dataset| {
        let train = data.train();
        (0..train.len())
            .map(|i| train.record(i))
            .collect::<Vec<_>>()
    };
    assert_eq!(records(found), records(expected));
    assert_eq!(found.source(), expected.source());
}

/// Writes 30 pictures of each of two classes.
fn write_pictures(folder: &Path) {
    for class in ["a", "b"] {
        let folder = folder.join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..30 {
            let picture = GrayImage::from_pixel(4, 3, Luma([i]));
            picture.save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
}

#[test]
fn a_data_set_opens_again_from_its_source() {
    let made = SyntheticOptions {
        noise: 0.1 + 0.2,
        samples: 100,
        seed: u64::MAX,
        ..SyntheticOptions::default()
    };
    let paths = DataPaths::only(&shared());
    let sets = [
        load("digits", &OPTIONS, &paths).unwrap(),
        load("cifar10", &OPTIONS, &paths).unwrap(),
        synthetic(&made, &OPTIONS).unwrap(),
    ];
    for data in &sets {
        assert_same(&again(data, &paths).unwrap(), data);
    }
    let kinds = sets.map(|data| serde_json::to_value(data.source()).unwrap()["kind"].clone());
    assert_eq!(kinds, ["known", "known", "synthetic"]);
}

#[test]
fn a_folder_is_found_again_beside_the_script_or_among_the_data() {
    let [here, there, nowhere] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    write_pictures(&here.path().join("sets/shades"));
    write_pictures(&there.path().join("sets/shades"));
    let options = FolderOptions {
        size: Some([6, 8]),
        data: OPTIONS,
    };
    let nothing = DataPaths::only(nowhere.path());
    let path = Path::new("sets/shades");
    let data = load_folder(path, here.path(), &options, &nothing).unwrap();
    assert_eq!((data.name(), data.shape()), ("shades", [1, 6, 8]));
    assert_same(&again(&data, &nothing).unwrap(), &data);

    // The script's folder is gone, as on another machine.
    fs::remove_dir_all(here.path()).unwrap();
    let elsewhere = DataPaths::only(there.path());
    assert_same(&again(&data, &elsewhere).unwrap(), &data);
    let missing = again(&data, &nothing).unwrap_err().to_string();
    for place in [here.path(), nowhere.path()] {
        let place = place.join("sets/shades");
        assert!(
            missing.contains(place.to_str().unwrap()),
            "{missing} does not name {place:?}"
        );
    }
}
