//! The data sets that are known by name: what each is, whom to credit, which files it consists of
//! and where they are published. Knows no file format from within.

use std::path::PathBuf;

use super::cifar::{self, Layout};
use super::locate::{self, DataPaths};
use super::{download::Source, idx};
use crate::error::{Error, Result};

/// A data set that is known by name.
pub(super) struct Known {
    pub name: &'static str,
    pub about: &'static str,
    pub attribution: &'static str,
    pub format: Format,
    /// The folder its files lie in.
    pub folder: &'static str,
    /// Whether its one published file is an archive of `folder`.
    pub archived: bool,
    /// The published files.
    pub published: &'static [Published],
    /// The address that each published file's name is appended to.
    pub base_url: &'static str,
    /// Class names in label order, where the files do not say.
    pub classes: &'static [&'static str],
}

/// A published file and its SHA-256.
pub(super) struct Published {
    pub file: &'static str,
    pub sha256: &'static str,
}

/// How the files are read.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// Built into the binary.
    Digits,
    /// The binary version of CIFAR.
    Cifar(&'static Layout),
    /// The four IDX files of MNIST and what follows its layout.
    Idx,
}

impl Known {
    /// The name of the archive of the folder, if one is published.
    pub fn archive(&self) -> Option<&'static str> {
        let file = self.published.first().map(|p| p.file);
        file.filter(|_| self.archived)
    }

    /// The files that must be there: of each group at least one.
    pub fn required(&self) -> Vec<Vec<String>> {
        match self.format {
            Format::Digits => Vec::new(),
            Format::Cifar(layout) => layout.required(),
            Format::Idx => idx::required(),
        }
    }

    /// The sources of the published files. `url` stands in for the address of the one file, or for
    /// the folder of several; the hashes stay.
    pub fn sources(&self, url: Option<&str>) -> Vec<Source> {
        let base = url.filter(|_| !self.archived).unwrap_or(self.base_url);
        let address = |file| format!("{}/{file}", base.trim_end_matches('/'));
        let source = |p: &Published| Source {
            url: match url {
                Some(url) if self.archived => url.to_string(),
                _ => address(p.file),
            },
            file: p.file.to_string(),
            sha256: Some(p.sha256.to_string()),
        };
        self.published.iter().map(source).collect()
    }

    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(ToString::to_string).collect()
    }
}

/// Finds the data set called `name`.
pub(super) fn find(name: &str) -> Result<&'static Known> {
    let known = KNOWN.iter().find(|set| set.name == name);
    known.ok_or_else(|| Error::unknown("data set", name, KNOWN.iter().map(|set| set.name)))
}

/// What the catalogue tells of a data set.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// The name that [`load`](super::load) takes.
    pub name: &'static str,
    /// What it holds, one line.
    pub about: &'static str,
    /// Whom to credit.
    pub attribution: &'static str,
    /// The published files; none where it is built in.
    pub files: Vec<CatalogFile>,
    /// Whether it is part of the program.
    pub built_in: bool,
    /// The folder or archive it was found at on this machine.
    pub found: Option<PathBuf>,
}

/// A published file of a data set.
pub type CatalogFile = Source;

/// Lists the known data sets, and where in the folders of `paths` each is.
pub fn catalog(paths: &DataPaths) -> Vec<CatalogEntry> {
    let entry = |set: &Known| CatalogEntry {
        name: set.name,
        about: set.about,
        attribution: set.attribution,
        files: set.sources(None),
        built_in: set.published.is_empty(),
        found: match set.format {
            Format::Digits => None,
            _ => locate::find(set, paths).ok().map(locate::Place::into_path),
        },
    };
    KNOWN.iter().map(entry).collect()
}

const NUMERALS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

static KNOWN: [Known; 5] = [
    Known {
        name: "digits",
        about: "1,797 handwritten digits, 1 x 8 x 8, 10 classes; built in",
        attribution: "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, \
                      UCI Machine Learning Repository, 1998 (CC BY 4.0)",
        format: Format::Digits,
        folder: "",
        archived: false,
        published: &[],
        base_url: "",
        classes: &NUMERALS,
    },
    Known {
        name: "cifar10",
        about: "60,000 photographs, 3 x 32 x 32, 10 classes",
        attribution: KRIZHEVSKY,
        format: Format::Cifar(&cifar::CIFAR10),
        folder: "cifar-10-batches-bin",
        archived: true,
        published: &[Published {
            file: "cifar-10-binary.tar.gz",
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
        base_url: "https://www.cs.toronto.edu/~kriz",
        classes: &[],
    },
    Known {
        name: "cifar100",
        about: "60,000 photographs, 3 x 32 x 32, 100 classes (the fine labels)",
        attribution: KRIZHEVSKY,
        format: Format::Cifar(&cifar::CIFAR100),
        folder: "cifar-100-binary",
        archived: true,
        published: &[Published {
            file: "cifar-100-binary.tar.gz",
            sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        }],
        base_url: "https://www.cs.toronto.edu/~kriz",
        classes: &[],
    },
    Known {
        name: "mnist",
        about: "70,000 handwritten digits, 1 x 28 x 28, 10 classes",
        attribution: "Y. LeCun, C. Cortes and C. J. C. Burges, \
                      The MNIST Database of Handwritten Digits, 1998",
        format: Format::Idx,
        folder: "mnist",
        archived: false,
        published: &[
            Published {
                file: "train-images-idx3-ubyte.gz",
                sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            },
            Published {
                file: "train-labels-idx1-ubyte.gz",
                sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            },
            Published {
                file: "t10k-images-idx3-ubyte.gz",
                sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            },
            Published {
                file: "t10k-labels-idx1-ubyte.gz",
                sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            },
        ],
        base_url: "https://ossci-datasets.s3.amazonaws.com/mnist",
        classes: &NUMERALS,
    },
    Known {
        name: "fashion_mnist",
        about: "70,000 pictures of clothes, 1 x 28 x 28, 10 classes",
        attribution: "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv 1708.07747, 2017 (MIT)",
        format: Format::Idx,
        folder: "fashion_mnist",
        archived: false,
        published: &[
            Published {
                file: "train-images-idx3-ubyte.gz",
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            },
            Published {
                file: "train-labels-idx1-ubyte.gz",
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            },
            Published {
                file: "t10k-images-idx3-ubyte.gz",
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            },
            Published {
                file: "t10k-labels-idx1-ubyte.gz",
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ],
        base_url: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        classes: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
    },
];

const KRIZHEVSKY: &str =
    "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009";
