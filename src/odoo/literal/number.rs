//! Numbers as Python writes them.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::error::Wrong;
use super::value::Value;

/// Digits of a whole number; Python itself refuses longer ones.
const DIGITS_MAX: usize = 4_300;
/// How a large number is held while its base changes: nine decimal digits a limb.
const LIMB: u64 = 1_000_000_000;

/// Reads a number without sign.
pub(super) fn read(text: &str, at: usize) -> Result<Value, Wrong> {
    let wrong = || Wrong::new(at, format!("`{}` is no number", text.chars().take(40).collect::<String>()));
    let lower = text.to_ascii_lowercase();
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let digits = digits.strip_prefix('_').unwrap_or(digits);
            let digits = plain_digits(digits, base).ok_or_else(wrong)?;
            return in_decimal(&digits, base).map(Value::Int).ok_or_else(|| too_long(at));
        }
    }
    let (body, imaginary) = match lower.strip_suffix('j') {
        Some(body) => (body, true),
        None => (lower.as_str(), false),
    };
    if body.contains(['.', 'e']) {
        let value = float(body).ok_or_else(wrong)?;
        return Ok(if imaginary { Value::Complex(0.0, value) } else { Value::Float(value) });
    }
    let digits = plain_digits(body, 10).ok_or_else(wrong)?;
    if imaginary {
        return digits.parse().map(|value| Value::Complex(0.0, value)).map_err(|_| wrong());
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(Value::Int("0".to_owned()));
    }
    if digits.starts_with('0') {
        return Err(wrong().hint("A whole number has no zeros before it; octal is written 0o17."));
    }
    if digits.len() > DIGITS_MAX {
        return Err(too_long(at));
    }
    Ok(Value::Int(digits))
}

fn too_long(at: usize) -> Wrong {
    Wrong::new(at, format!("a number of more than {DIGITS_MAX} digits"))
}

/// The digits without their underscores, each of which stands between two digits.
fn plain_digits(text: &str, base: u32) -> Option<String> {
    let sound = !text.is_empty()
        && text.chars().all(|c| c == '_' || c.is_digit(base))
        && text.split('_').all(|group| !group.is_empty());
    sound.then(|| text.replace('_', ""))
}

fn float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let part = |digits: &str| if digits.is_empty() { Some(String::new()) } else { plain_digits(digits, 10) };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (whole, fraction) = (part(whole)?, part(fraction)?);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match exponent {
        None => "0".to_owned(),
        Some(exponent) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", exponent.strip_prefix('+').unwrap_or(exponent)),
            };
            format!("{sign}{}", plain_digits(digits, 10)?)
        }
    };
    format!("0{whole}.{fraction}0e{exponent}").parse().ok()
}

/// Digits of another base in decimal; `None` when that has too many digits.
fn in_decimal(digits: &str, base: u32) -> Option<String> {
    let digits = digits.trim_start_matches('0');
    if digits.len() > DIGITS_MAX * 4 {
        return None;
    }
    let mut limbs: Vec<u64> = Vec::new();
    for digit in digits.chars().filter_map(|c| c.to_digit(base)) {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let value = *limb * u64::from(base) + carry;
            (*limb, carry) = (value % LIMB, value / LIMB);
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut out = limbs.pop().map_or_else(|| "0".to_owned(), |limb| limb.to_string());
    for limb in limbs.iter().rev() {
        out.push_str(&format!("{limb:09}"));
    }
    (out.len() <= DIGITS_MAX).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        let int = |text: &str| match read(text, 0) {
            Ok(Value::Int(digits)) => digits,
            other => panic!("{text}: {other:?}"),
        };
        let whole = [
            ("0", "0"),
            ("0_0", "0"),
            ("00", "0"),
            ("1_000", "1000"),
            ("0x_ff", "255"),
            ("0O17", "15"),
            ("0b101", "5"),
        ];
        for (text, value) in whole {
            assert_eq!(int(text), value, "{text}");
        }
        assert_eq!(int("0xffffffffffffffffffff"), "1208925819614629174706175");
        for (text, value) in
            [("1.", 1.0), (".5", 0.5), ("01.5", 1.5), ("1e3", 1000.0), ("1_0.2_5E-0_1", 1.025)]
        {
            assert_eq!(read(text, 0).ok(), Some(Value::Float(value)), "{text}");
        }
        assert_eq!(read("012j", 0).ok(), Some(Value::Complex(0.0, 12.0)));
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for text in [
            "01", "1_", "1__0", "0x", "0xg", "1e", "1e_1", "1_.5", "1._5", "1a", "0b2", "1.2.3", "0_", "1jj",
            "1e1.5",
        ] {
            assert!(read(text, 0).is_err(), "{text}");
        }
        assert!(read(&"9".repeat(4_301), 0).is_err());
        assert!(read(&format!("0x{}", "f".repeat(100_000)), 0).is_err());
    }
}
