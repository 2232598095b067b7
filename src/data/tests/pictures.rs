use std::fs;

use burn::tensor::Device;
use image::{GrayImage, Luma, Rgb, RgbImage};

use super::*;

/// Writes pictures of `class` whose three channels and place can be told apart.
fn colour(part: &Path, class: &str, count: u8, [height, width]: [u32; 2]) {
    let folder = part.join(class);
    fs::create_dir_all(&folder).unwrap();
    for i in 0..count {
        let pixel = |x: u32, y: u32| Rgb([i, 100 + x as u8, 200 + y as u8]);
        let picture = RgbImage::from_fn(width, height, pixel);
        picture.save(folder.join(format!("{i:03}.png"))).unwrap();
    }
}

fn grey(part: &Path, class: &str, name: &str) {
    let folder = part.join(class);
    fs::create_dir_all(&folder).unwrap();
    let picture = GrayImage::from_pixel(5, 4, Luma([9]));
    picture.save(folder.join(name)).unwrap();
}

fn read_with(dir: &Path, options: FolderOptions) -> Result<Dataset> {
    load_folder(dir, Path::new(""), &options, &DataPaths::only(dir))
}

fn read(dir: &Path) -> Result<Dataset> {
    read_with(dir, FolderOptions::default())
}

#[test]
fn pictures_in_class_folders_become_channel_planes() {
    let dir = tempfile::tempdir().unwrap();
    colour(dir.path(), "dog", 10, [2, 3]);
    colour(dir.path(), "cat", 10, [2, 3]);
    fs::write(dir.path().join("cat/notes.txt"), "no picture").unwrap();
    let data = read(dir.path()).unwrap();
    assert_eq!(data.classes(), ["cat", "dog"]);
    assert_eq!(data.shape(), [3, 2, 3]);
    assert_eq!(
        data.split_key(),
        "train=14 validation=2 test=4 split_seed=0"
    );
    assert_eq!(
        data.name(),
        dir.path().file_name().unwrap().to_str().unwrap()
    );
    let train = data.train();
    assert!((0..train.len()).all(|i| train.label(i) == train.record(i) / 10));
    let image = train.batch(&[0], None, &Device::flex()).images;
    let pixels = image.into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(pixels[0..6], [pixels[0]; 6], "red is constant in a picture");
    assert_eq!(pixels[6..9], pixels[9..12], "green depends on the column");
    assert!(pixels[6] < pixels[7] && pixels[7] < pixels[8]);
    assert!(
        pixels[12] == pixels[14] && pixels[12] < pixels[15],
        "blue on the row"
    );
}

#[test]
fn parts_of_their_own_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 8), ("validation", 3), ("test", 2)] {
        colour(&dir.path().join(part), "a", count, [4, 4]);
        colour(&dir.path().join(part), "b", count, [4, 4]);
    }
    let data = read(dir.path()).unwrap();
    assert_eq!(
        data.split_key(),
        "train=16 validation=6 test=4 split_seed=0"
    );
    let records = |split: &Split| (0..split.len()).map(|i| split.record(i)).min();
    assert_eq!(records(data.validation()), Some(16));
    assert_eq!(records(data.test()), Some(22));
    colour(&dir.path().join("test"), "c", 1, [4, 4]);
    let unknown = read(dir.path()).unwrap_err().to_string();
    assert!(unknown.starts_with("unknown class 'c'"), "{unknown}");
}

#[test]
fn pictures_that_differ_need_a_size() {
    let dir = tempfile::tempdir().unwrap();
    colour(dir.path(), "a", 4, [4, 4]);
    grey(dir.path(), "b", "odd.png");
    let refused = message(read(dir.path()), dir.path());
    assert!(
        refused.contains("b/odd.png: expected [3, 4, 4]") && refused.contains("found [1, 4, 5]"),
        "{refused}"
    );
    let options = FolderOptions {
        size: Some([6, 8]),
        ..FolderOptions::default()
    };
    assert_eq!(read_with(dir.path(), options).unwrap().shape(), [3, 6, 8]);
}

#[test]
fn grey_pictures_have_one_channel_and_may_be_jpeg() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        grey(dir.path(), class, "1.png");
        grey(dir.path(), class, "2.jpg");
        grey(dir.path(), class, "3.JPEG");
    }
    let data = read(dir.path()).unwrap();
    assert_eq!(data.shape(), [1, 4, 5]);
    // A constant channel is 0, not NaN.
    let image = data.train().batch(&[0], None, &Device::flex()).images;
    let pixels = image.into_data().try_to_vec::<f32>().unwrap();
    assert!(pixels.iter().all(|p| p.abs() < 2.0), "{pixels:?}");
}

#[test]
fn unusable_folders_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert!(matches!(
        read(&missing),
        Err(crate::Error::DataMissing { .. })
    ));
    colour(dir.path(), "a", 2, [4, 4]);
    let one = message(read(dir.path()), dir.path());
    assert!(one.ends_with("expected at least 2, found 1"), "{one}");
    fs::create_dir(dir.path().join("b")).unwrap();
    let empty = message(read(dir.path()), dir.path());
    assert_eq!(
        empty,
        "class folder b: expected PNG or JPEG files, found none"
    );
    fs::write(dir.path().join("b/x.png"), "no picture").unwrap();
    let broken = message(read(dir.path()), dir.path());
    assert!(
        broken.starts_with("b/x.png: expected a PNG or JPEG picture"),
        "{broken}"
    );
}
