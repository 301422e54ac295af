//! SQL as named constants in one list per file, so that a test can run every statement there is.

/// Declares SQL constants, and `ALL` with their names.
macro_rules! statements {
    ($($name:ident = $sql:literal;)*) => {
        $(const $name: &str = $sql;)*
        /// Every statement of this file by name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
