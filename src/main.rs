//! The command line of ipaictl.

fn main() {}
