//! Durations and byte sizes as documents write them.

use std::time::Duration;

/// Reads a duration such as `90s`, `1m30s`, `24h`, `7d`, `500ms`. `None` when it is not one.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_length = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_length);
        let unit_nanos: u64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        let value: f64 = number.parse().ok().filter(|value: &f64| value.is_finite())?;
        nanos = nanos.checked_add((value * unit_nanos as f64).round() as u128)?;
        rest = tail;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// Reads a byte size such as `512m`, `512Mi`, `1.5GiB`, `1024`; all units are binary. `None` when it is not one.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "ki" | "kib" => 1 << 10,
        "m" | "mb" | "mi" | "mib" => 1 << 20,
        "g" | "gb" | "gi" | "gib" => 1 << 30,
        "t" | "tb" | "ti" | "tib" => 1 << 40,
        "p" | "pb" | "pi" | "pib" => 1 << 50,
        _ => return None,
    };
    let value: f64 = number.parse().ok().filter(|value: &f64| value.is_finite())?;
    let bytes = value * factor as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Writes a duration in its largest exact units: `90s` is `1m30s`.
pub fn render_duration(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let total = duration.as_nanos();
    let (seconds, nanos) = (total / 1_000_000_000, total % 1_000_000_000);
    let mut out = String::new();
    for (size, unit) in [(3600, "h"), (60, "m"), (1, "s")] {
        let count = if size == 3600 { seconds / 3600 } else { seconds / size % 60 };
        if count > 0 {
            out.push_str(&format!("{count}{unit}"));
        }
    }
    if nanos > 0 {
        out.push_str(&match nanos {
            n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => format!("{}us", n / 1_000),
            n => format!("{n}ns"),
        });
    }
    out
}

/// Writes a byte size in its largest exact binary unit: 536870912 is `512MiB`.
pub fn render_bytes(bytes: u64) -> String {
    for (factor, unit) in [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, seconds) in
            [("90s", 90.0), ("1m30s", 90.0), ("24h", 86400.0), ("7d", 604800.0), ("1.5s", 1.5)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "5", "5x", "-1s", "1e3s", "1..2s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(render_duration(Duration::from_millis(90_500)), "1m30s500ms");
    }

    #[test]
    fn sizes_are_binary_however_they_are_spelled() {
        for text in ["512m", "512M", "512Mi", "512MiB", "512mb", "0.5g"] {
            assert_eq!(parse_bytes(text), Some(512 << 20), "{text}");
        }
        assert_eq!(parse_bytes("m"), None);
        assert_eq!(render_bytes(512 << 20), "512MiB");
    }
}
