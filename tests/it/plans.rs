//! Decisions as data: what is wanted and what was observed, in YAML, give the text of a plan.
//!
//! A case is a folder of `tests/plans/<stem>/`. Its files are the state repository: `desired.yaml` (without it, one
//! Host and one Stack of `compose.yaml`) and whatever that names. A file `before.<name>` is what `<name>` was at the
//! commit before, which the model engine has applied; `observed.yaml` says what happened to the world since.
//! `IPAICTL_BLESS=1` rewrites every `plan.txt`; read them in review.

pub mod case;
pub mod model;
mod goldens;
mod random;
