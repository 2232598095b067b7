//! The `nas-script` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    nas_script::cli::main()
}
