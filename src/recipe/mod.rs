//! Recipes as files that people share: the folder that they are kept in, where they come from, several files packed into
//! one, and what a pack claims. Takes texts as they are: knows nothing of what a script means, and runs none.

mod claim;
mod fetch;
mod git;
mod name;
mod pack;
mod shelf;
mod text;

pub use claim::{Best, Claim, Difference, Lock, With};
pub use fetch::{Fetched, Origin, fetch};
pub use name::check as check_name;
pub use pack::{Bundled, Pack};
pub use shelf::{Added, Entry, Shelf, folder};
pub use text::{plain, read, sound};

/// The longest text of a recipe, packed or not, in bytes.
pub const MOST: u64 = 1 << 20;
