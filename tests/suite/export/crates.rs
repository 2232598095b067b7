//! Exported Burn crates compile and predict what the library predicts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use nas_script::arrays;
use nas_script::child::export::{Existing, Format, untrained, write};
use nas_script::child::{Child, Weights};
use nas_script::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, DropPath, DropSchedule,
    Interpolation, Network, Node, Padding, PoolOptions, Sides,
};
use nas_script::seed::Seed;
use rand::RngExt;
use tempfile::TempDir;

use crate::harness::{NAS_SCRIPT, repository};

fn conv(stride: [usize; 2], dilation: [usize; 2], groups: usize, bias: bool) -> Conv2dOptions {
    Conv2dOptions {
        stride,
        dilation,
        groups,
        bias,
        ..Conv2dOptions::default()
    }
}

fn valid(options: Conv2dOptions) -> Conv2dOptions {
    let padding = Padding::Valid;
    Conv2dOptions { padding, ..options }
}

fn pool(stride: [usize; 2], padding: Padding) -> PoolOptions {
    let stride = Some(stride);
    PoolOptions { stride, padding }
}

fn dense(x: &Node, units: usize) -> Node {
    x.dense(units, &DenseOptions::default()).unwrap()
}

/// Logits that depend on every pixel of every branch.
fn head(branches: &[Node]) -> Network {
    let flat: Vec<_> = branches.iter().map(|x| x.flatten().unwrap()).collect();
    Network::from_output(&dense(&Node::concat(&flat).unwrap(), 4)).unwrap()
}

fn stem(shape: &[usize]) -> Node {
    let image = Node::input(shape).unwrap();
    image.conv2d(8, [3, 3], &Conv2dOptions::default()).unwrap()
}

/// Windows with every attribute: odd and even, rectangular, dilated, grouped.
fn windows() -> Network {
    let x = stem(&[3, 9, 7]);
    let same = [
        x.conv2d(4, [2, 4], &conv([1, 1], [1, 1], 1, true)),
        x.conv2d(8, [3, 2], &conv([2, 3], [1, 1], 4, false)),
        x.conv2d(4, [3, 3], &conv([1, 2], [3, 2], 1, true)),
        x.conv2d(6, [1, 1], &conv([2, 2], [1, 1], 2, true)),
        x.conv2d(4, [4, 3], &valid(conv([2, 1], [2, 1], 2, false))),
        x.depthwise_conv2d([5, 5], 2, &conv([1, 1], [1, 1], 1, true)),
        x.conv_transpose2d(4, [3, 3], &conv([2, 2], [1, 1], 2, true)),
        x.conv_transpose2d(4, [4, 2], &conv([2, 1], [1, 2], 1, false)),
        x.conv_transpose2d(4, [1, 2], &conv([2, 3], [1, 1], 4, true)),
        x.conv_transpose2d(4, [3, 2], &valid(conv([2, 1], [1, 3], 1, true))),
    ];
    let kinds = [Padding::Same, Padding::Valid];
    let pools = kinds.into_iter().flat_map(|padding| {
        [([2, 3], [1, 2]), ([3, 3], [2, 2])].map(|(kernel, stride)| {
            let options = pool(stride, padding);
            let max = x.max_pool2d(kernel, &options).unwrap();
            max.concat_with(&x.avg_pool2d(kernel, &options).unwrap())
        })
    });
    let same = same.into_iter().map(Result::unwrap);
    head(&same.chain(pools).collect::<Vec<_>>())
}

trait ConcatWith {
    fn concat_with(&self, other: &Self) -> Self;
}

impl ConcatWith for Node {
    fn concat_with(&self, other: &Self) -> Self {
        Self::concat(&[self.clone(), other.clone()]).unwrap()
    }
}

/// Everything else: norms, activations, joins, borders, sizes.
fn elements() -> Network {
    let x = stem(&[2, 6, 5]);
    let norm = BatchNormOptions {
        momentum: 0.01,
        epsilon: 1e-3,
    };
    let drop_path = DropPath {
        rate: 0.3,
        schedule: DropSchedule::Linear,
    };
    let sides = Sides {
        top: 1,
        left: 2,
        right: 1,
        ..Sides::default()
    };
    let mut branches: Vec<Node> = [
        x.batch_norm(&norm),
        x.layer_norm(1e-4),
        x.group_norm(4, 1e-5),
        x.dropout(0.5).and_then(|x| x.drop_path(drop_path)),
        x.zero_pad2d(sides),
        x.crop2d(sides),
        x.channel_shuffle(4),
        x.squeeze_excite(3, Activation::HardSigmoid),
    ]
    .into_iter()
    .map(Result::unwrap)
    .collect();
    for size in [[12, 20], [3, 5], [7, 11], [1, 1]] {
        for mode in [Interpolation::Nearest, Interpolation::Bilinear] {
            branches.push(x.resize(size, mode).unwrap());
        }
    }
    branches.extend(Activation::ALL.map(|activation| x.activation(activation)));
    // Joins: of an image with another, with itself, with a factor a channel of either shape.
    let tanh = x.activation(Activation::Tanh);
    branches.push(x.add(&x).unwrap().multiply(&tanh).unwrap());
    let average = x.avg_pool2d([6, 5], &PoolOptions::default()).unwrap();
    branches.push(average.multiply(&x).unwrap());
    branches.push(x.global_avg_pool().unwrap().multiply(&tanh).unwrap());
    let convs: Vec<Node> = (0..8)
        .map(|_| x.conv2d(8, [1, 1], &Conv2dOptions::default()).unwrap())
        .collect();
    branches.push(Node::sum(&convs).unwrap());

    let flat = dense(&x.flatten().unwrap(), 12);
    let flats = [
        flat.batch_norm(&BatchNormOptions::default()),
        flat.layer_norm(1e-5),
        flat.group_norm(3, 1e-3),
        flat.dropout(0.1),
        flat.multiply(&flat.activation(Activation::Silu)),
        flat.dense(5, &DenseOptions { bias: false }),
    ];
    branches.extend(flats.into_iter().map(Result::unwrap));
    head(&branches)
}

/// A chain with one skip, as one would write it by hand.
fn residual() -> Network {
    let plain = Conv2dOptions::default();
    let block = |x: &Node| {
        let y = x.conv2d(16, [3, 3], &plain).unwrap();
        y.batch_norm(&BatchNormOptions::default())
            .unwrap()
            .activation(Activation::Relu)
    };
    let x = block(&Node::input(&[3, 8, 8]).unwrap());
    let y = block(&block(&x)).dropout(0.2).unwrap();
    let x = x.add(&y).unwrap().activation(Activation::Relu);
    let x = x.max_pool2d([2, 2], &PoolOptions::default()).unwrap();
    let x = dense(&x.global_avg_pool().unwrap(), 10);
    Network::from_output(&x).unwrap()
}

/// More layers than one struct has.
fn deep() -> Network {
    let plain = Conv2dOptions::default();
    let mut x = stem(&[1, 4, 4]);
    for _ in 0..24 {
        let y = x.conv2d(8, [3, 3], &plain).unwrap();
        let y = y.batch_norm(&BatchNormOptions::default()).unwrap();
        x = x.add(&y.activation(Activation::Tanh)).unwrap();
    }
    head(&[x])
}

/// Weights without a zero or a one that would hide a mistake, as if the network were trained.
fn weights(network: &Network, folder: &Path) -> Weights {
    let mut rng = Seed(5).stream("weights");
    let mut arrays = untrained(network, Seed(1)).unwrap().arrays().clone();
    for (name, array) in &mut arrays {
        for value in &mut array.values {
            let noise = rng.random_range(-0.2..0.2_f32);
            match name.ends_with("running_var") {
                true => *value += noise.abs() * 5.0,
                false => *value += noise,
            }
        }
    }
    let file = folder.join("weights.safetensors");
    arrays::save(&file, &arrays, None).unwrap();
    Weights::load(file).unwrap()
}

/// A network as a crate, with images and what the library makes of them.
struct Exported {
    name: String,
    crate_folder: PathBuf,
    images: PathBuf,
    logits: Vec<f32>,
    classes: usize,
}

fn export(name: &str, network: &Network, folder: &Path) -> Exported {
    let weights = weights(network, folder);
    let crate_folder = folder.join(name);
    let (format, existing) = (Format::Burn, Existing::Keep);
    write(network, Some(&weights), format, &crate_folder, existing).unwrap();

    let [channels, height, width] = network.input_shape().try_into().unwrap();
    let mut rng = Seed(9).stream("images");
    let count = 3 * channels * height * width;
    let images: Vec<f32> = (0..count).map(|_| rng.random_range(-2.0..2.0)).collect();
    let bytes: Vec<u8> = images
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let file = folder.join(format!("{name}.f32"));
    fs::write(&file, bytes).unwrap();

    let device = Device::flex();
    let child = Child::with_weights(network, &weights, &device).unwrap();
    let images = TensorData::new(images, [3, channels, height, width]);
    let logits = child.forward(Tensor::from_data(images, &device));
    Exported {
        name: name.into(),
        crate_folder,
        images: file,
        logits: logits.into_data().try_into_vec().unwrap(),
        classes: network.shape()[0],
    }
}

/// The section of this crate's manifest that opens with `title`.
fn section(manifest: &str, title: &str) -> String {
    let (_, rest) = manifest.split_once(&format!("\n[{title}]\n")).unwrap();
    rest.split("\n[").next().unwrap().to_string()
}

/// Builds the crates in `folder` offline, as one workspace with the dependencies, versions and profile
/// of this crate, so that what this test was built with is not built again.
fn build(folder: &Path, crates: &[Exported]) {
    let manifest = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let members: Vec<_> = crates.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let workspace = format!(
        "[package]\nname = \"same-dependencies\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{}\n{}\n\n[profile.dev]\n{}\n\n[workspace]\nmembers = [{}]\n",
        section(&manifest, "dependencies"),
        section(&manifest, "dev-dependencies"),
        section(&manifest, "profile.dev"),
        members.join(", ")
    );
    fs::write(folder.join("Cargo.toml"), workspace).unwrap();
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    fs::copy(repository("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for exported in crates {
        // A member takes the profile of its workspace and has none of its own.
        let path = exported.crate_folder.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).unwrap();
        let (member, _) = manifest.split_once("[profile.dev]").unwrap();
        fs::write(path, member).unwrap();
    }
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--workspace", "--offline", "--quiet"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target());
    // What cargo tells a test of its package would be news to build scripts: everything that depends on
    // them would be built again, here and by whoever calls cargo next.
    let own = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    for (name, _) in std::env::vars() {
        if own.iter().any(|prefix| name.starts_with(prefix)) {
            build.env_remove(name);
        }
    }
    let built = build.output().unwrap();
    let messages = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{messages}");
    assert!(!messages.contains("warning: "), "{messages}");
}

/// The folder that holds `debug/nas-script`, which is under test.
fn target() -> &'static Path {
    Path::new(NAS_SCRIPT).ancestors().nth(2).unwrap()
}

impl Exported {
    /// What the crate's program prints.
    fn predicted(&self) -> Vec<f32> {
        let program = target().join("debug").join(&self.name);
        let ran = Command::new(program).arg(&self.images).output().unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}: {errors}", self.name);
        let text = String::from_utf8(ran.stdout).unwrap();
        let rows: Vec<Vec<f32>> = text
            .lines()
            .map(|row| row.split(' ').map(|value| value.parse().unwrap()).collect())
            .collect();
        assert!(rows.iter().all(|row| row.len() == self.classes), "{text}");
        rows.concat()
    }

    fn model(&self) -> String {
        fs::read_to_string(self.crate_folder.join("src/model.rs")).unwrap()
    }
}

#[test]
fn exported_crates_compile_and_predict_what_the_library_predicts() {
    // The same folder each time: what cargo keeps of the crates is replaced, not added to.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exported");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let crates = [
        ("export-windows", windows()),
        ("export-elements", elements()),
        ("export-residual", residual()),
        ("export-deep", deep()),
    ]
    .map(|(name, network)| export(name, &network, &folder));
    build(&folder, &crates);
    for exported in &crates {
        let (predicted, logits) = (exported.predicted(), &exported.logits);
        assert_eq!(predicted.len(), logits.len(), "{}", exported.name);
        let scale = logits.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
        for (a, b) in predicted.iter().zip(logits) {
            let near = (a - b).abs() <= 1e-5 * scale;
            assert!(near, "{}: {predicted:?}\n{logits:?}", exported.name);
        }
        let spread = logits.iter().any(|x| (x - logits[0]).abs() > 1e-3);
        assert!(spread, "{}: logits that tell nothing", exported.name);
    }
}

#[test]
fn the_code_is_formatted_as_rustfmt_has_it() {
    let folder = TempDir::new().unwrap();
    for (name, network) in [
        ("export-windows", windows()),
        ("export-elements", elements()),
        ("export-residual", residual()),
        ("export-deep", deep()),
    ] {
        let exported = export(name, &network, folder.path());
        for file in ["src/main.rs", "src/lib.rs"] {
            let checked = Command::new("rustfmt")
                .args(["--check", "--edition", "2024"])
                .arg(exported.crate_folder.join(file))
                .output()
                .unwrap();
            let differs = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success(), "{name}:\n{differs}");
        }
    }
}

#[test]
fn the_code_reads_like_code_written_by_hand() {
    let folder = TempDir::new().unwrap();
    let model = export("export-residual", &residual(), folder.path()).model();
    let expected = "
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.conv1.forward(images); // [batch, 16, 8, 8]
        let x = self.batch_norm1.forward(x);
        let x = relu(x);
        let x1 = self.conv2.forward(x.clone());
        let x1 = self.batch_norm2.forward(x1);
        let x1 = relu(x1);
        let x1 = self.conv3.forward(x1);
        let x1 = self.batch_norm3.forward(x1);
        let x1 = relu(x1);
        let x = x + x1;
        let x = relu(x);
        let x = self.max_pool1.forward(x); // [batch, 16, 4, 4]
        let x = global_avg_pool(x); // [batch, 16]
        self.linear1.forward(x) // [batch, 10]
    }
";
    assert!(model.contains(expected), "{model}");
    let layers = "
            conv1: Conv2dConfig::new([3, 16], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            batch_norm1: BatchNormConfig::new(16).init(device),
";
    assert!(model.contains(layers), "{model}");
}

#[test]
fn a_crate_is_written_into_a_new_folder_only() {
    let folder = TempDir::new().unwrap();
    let network = residual();
    let weights = untrained(&network, Seed(1)).unwrap();
    let path = folder.path().join("mine");
    let export = |existing| write(&network, Some(&weights), Format::Burn, &path, existing);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    for existing in [Existing::Keep, Existing::Replace] {
        let error = export(existing).unwrap_err().to_string();
        assert!(error.contains("a new or empty folder"), "{error}");
    }
    assert_eq!(
        fs::read_dir(&path).unwrap().count(),
        1,
        "nothing is written"
    );

    fs::remove_file(path.join("notes.txt")).unwrap();
    export(Existing::Keep).unwrap();
    fs::write(path.join("src/model.rs"), "").unwrap();
    assert!(export(Existing::Keep).is_err());
    export(Existing::Replace).unwrap();
    let model = fs::read_to_string(path.join("src/model.rs")).unwrap();
    assert!(model.contains("pub struct Model {"), "{model}");
}

#[test]
fn weights_of_another_network_are_refused() {
    let folder = TempDir::new().unwrap();
    let weights = untrained(&windows(), Seed(1)).unwrap();
    for format in [Format::Onnx, Format::Safetensors, Format::Burn] {
        let path = folder.path().join("mine");
        let export = |weights| write(&residual(), weights, format, &path, Existing::Keep);
        let error = export(Some(&weights)).unwrap_err().to_string();
        assert!(error.starts_with("weights '"), "{error}");
        let error = export(None).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("export to {format}: expected weights, found none")
        );
        assert!(!path.exists());
    }
}
