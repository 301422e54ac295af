//! References to images, as people shorten them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// An image reference in its familiar short form, the tag written out: `docker.io/library/redis` is `redis:latest`.
pub fn normal_reference(reference: &str) -> String {
    let short = ["docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .unwrap_or(reference);
    let is_id = reference.starts_with("sha256:")
        || (reference.len() == 64 && reference.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let last_part = short.rsplit('/').next().unwrap_or(short);
    if is_id || last_part.contains(':') || last_part.contains('@') {
        short.to_owned()
    } else {
        format!("{short}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_mean_the_same_image_are_equal() {
        for (written, normal) in [
            ("redis", "redis:latest"),
            ("docker.io/library/redis:7", "redis:7"),
            ("docker.io/n8nio/n8n", "n8nio/n8n:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("a@sha256:ab", "a@sha256:ab"),
            ("sha256:ab", "sha256:ab"),
        ] {
            assert_eq!(normal_reference(written), normal, "{written}");
        }
    }
}
