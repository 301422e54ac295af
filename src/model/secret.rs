//! References to secrets, their values in memory, and how they are masked in everything written.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Where a secret's value is: never the value itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecretRef {
    /// `{env: NAME}`: an environment variable of the controller.
    Env(EnvSecret),
    /// `{file: PATH}`: a file on the controller's machine; one final line end is dropped.
    File(FileSecret),
    /// `{age: PATH, key: NAME}`: a key of an age-encrypted YAML file in the state repository.
    Age(AgeSecret),
}

/// A secret in an environment variable of the controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvSecret {
    /// The variable's name.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env: String,
}

/// A secret in a file on the controller's machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSecret {
    /// The absolute path.
    #[schemars(regex(pattern = r"^/"))]
    pub file: String,
}

/// A secret in an age-encrypted YAML file of the state repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeSecret {
    /// The encrypted file's path, relative to the state repository.
    pub age: String,
    /// The top-level key in the decrypted YAML map.
    pub key: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(secret) => write!(f, "env {}", secret.env),
            SecretRef::File(secret) => write!(f, "file {}", secret.file),
            SecretRef::Age(secret) => write!(f, "age {}#{}", secret.age, secret.key),
        }
    }
}

/// The key of all fingerprints of secrets; a 0600 file beside the store, never in it.
#[derive(Clone)]
pub struct HmacKey {
    bytes: SecretString,
    id: String,
}

impl HmacKey {
    /// Makes the key of its hexadecimal text.
    pub fn new(hex_text: &str) -> Self {
        let id = super::hash::sha256_hex(hex_text.as_bytes())[..8].to_owned();
        HmacKey { bytes: SecretString::from(hex_text.to_owned()), id }
    }

    /// The key's public id: eight hexadecimal digits that don't reveal it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keyed hash of a value, in hexadecimal; says only whether two values are equal.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes.expose_secret().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(value);
        hex::encode(mac.finalize().into_bytes())
    }

    /// What people see of a secret: the first four digits of its fingerprint.
    pub fn short(&self, value: &[u8]) -> String {
        self.fingerprint(value)[..4].to_owned()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacKey({})", self.id)
    }
}

/// What stands in every output where a secret's value would be.
pub const MASK: &str = "(secret)";
/// Values shorter than this are not searched for in free text: they would mask half of every log.
const REDACTED_LENGTH_MIN: usize = 4;

/// Replaces known secret values in text that is about to leave the program.
#[derive(Clone, Default)]
pub struct Redactor {
    values: BTreeSet<Needle>,
    suspected: BTreeSet<Needle>,
}

/// A value to search for, longest first, so that a value that contains another is masked whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Needle(std::cmp::Reverse<usize>, String);

impl Redactor {
    /// Learns a secret value, and its base64, URL-encoded and quoted forms: JSON's and Python's, once and twice.
    pub fn learn(&mut self, value: &str) {
        self.values.extend(needles(value));
    }

    /// Learns a value that is a secret by its variable's name only: masked in everything that is kept
    /// ([`Redactor::redact_kept`]), and left where differences are shown, which mask by name.
    pub fn suspect(&mut self, value: &str) {
        self.suspected.extend(needles(value));
    }

    /// Learns everything that another redactor knows.
    pub fn learn_all(&mut self, other: &Redactor) {
        self.values.extend(other.values.iter().cloned());
        self.suspected.extend(other.suspected.iter().cloned());
    }

    /// The text with every known value replaced.
    pub fn redact(&self, text: &str) -> String {
        replaced(text, self.values.iter())
    }

    /// The text with every known or suspected value replaced: for journal, history, events, evidence.
    pub fn redact_kept(&self, text: &str) -> String {
        let all: BTreeSet<&Needle> = self.values.iter().chain(&self.suspected).collect();
        replaced(text, all.into_iter())
    }
}

/// The forms in which a value may appear; its long lines too, because logs show them one by one.
fn needles(value: &str) -> Vec<Needle> {
    // Engines quote what they were asked to run, and Python what it shows of its values: once, or within another quoted text.
    let quoted = quoted_forms(value);
    let again: Vec<String> = quoted.iter().flat_map(|form| quoted_forms(form)).collect();
    let forms = [value.to_owned(), base64(value.as_bytes())].into_iter().chain(url_forms(value));
    let forms = forms.chain(html_forms(value)).chain(quoted).chain(again);
    let long = value.lines().filter(|line| line.len() >= 2 * REDACTED_LENGTH_MIN).map(str::to_owned);
    forms
        .filter(|form| form.len() >= REDACTED_LENGTH_MIN)
        .chain(long)
        .map(|form| Needle(std::cmp::Reverse(form.len()), form))
        .collect()
}

fn replaced<'n>(text: &str, needles: impl Iterator<Item = &'n Needle>) -> String {
    let mut out = text.to_owned();
    for Needle(_, value) in needles {
        if out.contains(value.as_str()) {
            out = out.replace(value.as_str(), MASK);
        }
    }
    out
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
    }
}

/// The text between quotes, as JSON and Python write it; Python escapes the quotes that it chose, whatever they are.
fn quoted_forms(text: &str) -> [String; 7] {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let ascii = json.chars().fold(String::new(), |mut out, c| {
        match c.is_ascii() {
            true => out.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
        out
    });
    let python = |quote: &str, is_ascii: bool| {
        text.chars().fold(String::new(), |mut out, c| {
            let _ = match (c, u32::from(c)) {
                ('\\', _) => write!(out, "\\\\"),
                ('\n', _) => write!(out, "\\n"),
                ('\r', _) => write!(out, "\\r"),
                ('\t', _) => write!(out, "\\t"),
                (c, _) if quote.contains(c) => write!(out, "\\{c}"),
                (c, code) if c.is_control() || is_ascii && (0x80..0x100).contains(&code) => {
                    write!(out, "\\x{code:02x}")
                }
                (_, code) if is_ascii && code > 0xffff => write!(out, "\\U{code:08x}"),
                (_, code) if is_ascii && code > 0xff => write!(out, "\\u{code:04x}"),
                (c, _) => write!(out, "{c}"),
            };
            out
        })
    };
    let bytes = |quote: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            let _ = match byte {
                b'\\' => write!(out, "\\\\"),
                b'\n' => write!(out, "\\n"),
                b'\r' => write!(out, "\\r"),
                b'\t' => write!(out, "\\t"),
                byte if quote.as_bytes().contains(&byte) => write!(out, "\\{}", char::from(byte)),
                byte if byte.is_ascii_graphic() || byte == b' ' => write!(out, "{}", char::from(byte)),
                byte => write!(out, "\\x{byte:02x}"),
            };
            out
        })
    };
    [json, ascii, python("", false), python("'", false), python("'", true), bytes(""), bytes("'")]
}

/// As pages hold it; some escape quotes, and each in its own way.
fn html_forms(text: &str) -> [String; 3] {
    let basic = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quoted = basic.replace('"', "&quot;").replace('\'', "&#x27;");
    let numbered = basic.replace('"', "&#34;").replace('\'', "&#39;");
    [basic, quoted, numbered]
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// As URLs hold it: what need not be escaped is escaped by some.
fn url_forms(text: &str) -> [String; 4] {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
    const FORM: &AsciiSet = &UNRESERVED.remove(b' ');
    let encoded = |set| utf8_percent_encode(text, set).to_string();
    [encoded(NON_ALPHANUMERIC), encoded(UNRESERVED), encoded(PATH), encoded(FORM).replace(' ', "+")]
}

/// Whether a variable's name says that its value is a secret.
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "PRIVATE",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "ENCRYPTION_KEY",
        "DSN",
        "DATABASE_URL",
    ];
    let name = name.to_ascii_uppercase();
    let names_a_file = name.ends_with("_FILE") || name.ends_with("_PATH");
    !names_a_file
        && (WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_KEY") || name.ends_with("PASS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let mut redactor = Redactor::default();
        redactor.learn("p@ss/wörd");
        redactor.learn("quo\"te\\d");
        assert_eq!(redactor.redact(r#"exec: "/no/quo\"te\\d": missing"#), r#"exec: "/no/(secret)": missing"#);
        let text =
            format!("a p@ss/wörd b {} c {}", base64("p@ss/wörd".as_bytes()), url_forms("p@ss/wörd")[0]);
        assert_eq!(redactor.redact(&text), "a (secret) b (secret) c (secret)");
        assert_eq!(base64(b"ab"), "YWI=");
    }

    #[test]
    fn what_python_shows_of_a_secret_is_masked() {
        let mut redactor = Redactor::default();
        redactor.learn("multi,'\"ad\\m ü");
        for shown in [
            // repr() and ascii() of it, of a longer text with its own quotes, within JSON, and twice.
            r#"'multi,\'"ad\\m ü'"#,
            r#"'multi,\'"ad\\m \xfc'"#,
            r#"multi,'"ad\\m ü"#,
            r#"{"x": "multi,'\"ad\\m \u00fc"}"#,
            r#""'multi,\\'\"ad\\\\m ü'""#,
            "multi%2C%27%22ad%5Cm+%C3%BC",
            r#"b'multi,\'"ad\\m \xc3\xbc'"#,
            r#"multi,&#x27;&quot;ad\m ü"#,
            r#"multi,&#39;&#34;ad\m ü"#,
        ] {
            let said = redactor.redact(shown);
            assert!(said.contains(MASK) && !said.contains("multi"), "{shown}: {said}");
        }
    }

    #[test]
    fn a_suspected_value_is_masked_in_what_is_kept_only() {
        let mut redactor = Redactor::default();
        redactor.suspect("hunter22");
        assert_eq!(redactor.redact("a hunter22"), "a hunter22");
        assert_eq!(redactor.redact_kept("a hunter22"), "a (secret)");
    }

    #[test]
    fn a_fingerprint_depends_on_key_and_value_only() {
        let key = HmacKey::new("aa");
        assert_eq!(key.short(b"x"), key.short(b"x"));
        assert_ne!(key.fingerprint(b"x"), HmacKey::new("ab").fingerprint(b"x"));
        assert!(!format!("{key:?}").contains("\"aa\""));
    }

    #[test]
    fn names_tell_secrets_from_settings() {
        for name in ["POSTGRES_PASSWORD", "N8N_ENCRYPTION_KEY", "DB_PASS", "GITHUB_TOKEN", "api_key"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["POSTGRES_USER", "POSTGRES_PASSWORD_FILE", "TZ", "KEYBOARD"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
