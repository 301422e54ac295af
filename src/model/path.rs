//! Paths as text, without asking a file system.

/// The parts of a path without `.`, `..` and doubled slashes, joined; never rises above its beginning.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_never_rises_above_its_beginning() {
        for (path, expected) in [("a//b/./c", "a/b/c"), ("../../a", "a"), ("/a/b/../../..", ""), ("", "")] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
