//! The command line of ipaictl.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is an error of our own: said in one line whatever RUST_BACKTRACE says, and exit code 2.
    std::panic::set_hook(Box::new(|panic| {
        ipaictl::cli::ui::to_stderr(&format!("error: ipaictl has a bug: {panic}"));
    }));
    let run = || ipaictl::cli::run(std::env::args_os());
    ExitCode::from(std::panic::catch_unwind(run).unwrap_or(2))
}
