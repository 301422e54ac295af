//! Ten thousand made-up sources: our reader and Python's `ast.literal_eval` agree on each, value or refusal.

use std::fs;
use std::process::Command;

use ipaictl::odoo::literal::{Value, parse};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const CASES: usize = 10_000;
/// Always the same cases, so that a failure can be looked at.
const SEED: u64 = 18;

/// Reads all sources in one process; writes a line each.
const PYTHON: &str = r#"
import ast, json, struct, sys

def dump(v):
    if v is None: return "N"
    if v is Ellipsis: return "E"
    kind = type(v)
    if kind is bool: return f"B{int(v)}"
    if kind is int: return f"I{v}"
    if kind is float: return "F" + struct.pack(">d", v).hex()
    if kind is complex: return "C" + struct.pack(">dd", v.real, v.imag).hex()
    if kind is str: return "T" + v.encode().hex()
    if kind is bytes: return "Y" + v.hex()
    if kind is list: return "[" + ",".join(map(dump, v)) + "]"
    if kind is tuple: return "(" + ",".join(map(dump, v)) + ")"
    if kind is set: return "<" + ",".join(sorted(map(dump, v))) + ">"
    return "{" + ",".join(dump(k) + ":" + dump(x) for k, x in v.items()) + "}"

for source in json.load(open(sys.argv[1], encoding="utf-8")):
    try:
        print(dump(ast.literal_eval(source)))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, OverflowError, AttributeError):
        print("refused")
"#;

fn dump(value: &Value) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let all = |values: &[Value]| values.iter().map(dump).collect::<Vec<_>>();
    match value {
        Value::None => "N".to_owned(),
        Value::Ellipsis => "E".to_owned(),
        Value::Bool(value) => format!("B{}", u8::from(*value)),
        Value::Int(digits) => format!("I{digits}"),
        Value::Float(value) => format!("F{:016x}", value.to_bits()),
        Value::Complex(real, imaginary) => format!("C{:016x}{:016x}", real.to_bits(), imaginary.to_bits()),
        Value::Text(text) => format!("T{}", hex(text.as_bytes())),
        Value::Bytes(bytes) => format!("Y{}", hex(bytes)),
        Value::List(values) => format!("[{}]", all(values).join(",")),
        Value::Tuple(values) => format!("({})", all(values).join(",")),
        Value::Set(values) => {
            let mut parts = all(values);
            parts.sort();
            format!("<{}>", parts.join(","))
        }
        Value::Dict(entries) => {
            let parts: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}:{}", dump(key), dump(value))).collect();
            format!("{{{}}}", parts.join(","))
        }
    }
}

struct Maker(StdRng);

impl Maker {
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.0.random_range(0..choices.len())]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// Nothing, blanks, comments and line ends that mean nothing inside brackets.
    fn space(&mut self) -> &'static str {
        if self.chance(70) {
            return "";
        }
        self.one_of(&[" ", "\t", "\n", "\n  ", " # a ' comment ]\n", "\\\n", "\r\n", "\x0c", "\n\n", "# é\n"])
    }

    /// What both refuse is rare, or whole sources would hardly ever be read.
    fn is_wrong(&mut self) -> bool {
        self.0.random_range(0..1_000) < 15
    }

    fn number(&mut self) -> String {
        let plain = [
            "0",
            "00",
            "7",
            "42",
            "1_000",
            "0x_fF",
            "0o17",
            "0B1_01",
            "1.",
            ".5",
            "1.5e3",
            "1E-2",
            "0_1.5",
            "2j",
            "1.5J",
            "012j",
            "1e400",
            "123456789012345678901234567890",
            "0xffffffffffffffffffffffffff",
            "1_0.0_1e1_0",
            "0.1",
            "1e22",
        ];
        let mut out = self.one_of(&plain).to_owned();
        if self.is_wrong() {
            out = self.one_of(&["01", "1__0", "0x", "1_", "0b2", "1e", "5.a"]).to_owned();
        }
        if self.chance(20) {
            out = format!("{}{out}", self.one_of(&["-", "+", "- "]));
        }
        if self.chance(10) && !out.ends_with(['j', 'J']) {
            out = format!("{out}{}{}", self.one_of(&[" + ", "-"]), self.one_of(&["2j", ".5J", "0j"]));
        }
        if self.is_wrong() {
            out = format!(
                "{}{out}{}",
                self.one_of(&["-", "- +", ""]),
                self.one_of(&[" * 2", "+1", " - -2j", "+2j"])
            );
        }
        out
    }

    fn text(&mut self) -> String {
        let quote = self.one_of(&["'", "\"", "'''", "\"\"\""]);
        let mut prefix = self.one_of(&["", "", "", "", "u", "r", "R", "U"]);
        if self.is_wrong() {
            prefix = self.one_of(&["f", "ur", "b", "Rb"]);
        }
        let safe = [
            "a",
            "base",
            "sale_order",
            " ",
            "é",
            "ñandú",
            "😀",
            "\\n",
            "\\t",
            "\\\\",
            "\\x41",
            "\\u00e9",
            "\\U0001F600",
            "\\101",
            "\\7",
            "\\777",
            "\\q",
            "\\\n",
            "#",
            "[",
            "}",
            ",",
            "{x}",
            "%s",
        ];
        let mut body = String::new();
        for _ in 0..self.0.random_range(0..5) {
            body.push_str(self.one_of(&safe));
            if self.chance(5) {
                // The other quote, or a line end where one may be.
                body.push_str(if quote.len() == 3 {
                    "\n"
                } else if quote == "'" {
                    "\""
                } else {
                    "'"
                });
            }
        }
        if self.is_wrong() {
            body.push_str(self.one_of(&["'", "\"", "\n", "\\x4", "\\u12", "\\U00110000"]));
        }
        format!("{prefix}{quote}{body}{quote}")
    }

    fn bytes(&mut self) -> String {
        let prefix = self.one_of(&["b", "B", "br", "Rb", "rB"]);
        let pieces = ["a", "\\xff", "\\400", "\\q", "\\u0041", "\\N{x}", "\\\\", "\\\n"];
        let body: String = (0..3).map(|_| self.one_of(&pieces)).collect();
        format!("{prefix}'{body}'")
    }

    fn value(&mut self, depth: usize) -> String {
        let kind = self.0.random_range(0..if depth == 0 { 9 } else { 14 });
        match kind {
            0..=3 => self.text(),
            4 => format!("{}{} {}", self.text(), self.space(), self.text()),
            5 | 6 => self.number(),
            7 => self.one_of(&["True", "False", "None", "...", "set()", "set( )"]).to_owned(),
            8 => match self.is_wrong() {
                true => self
                    .one_of(&["x", "true", "set", "[a for a in b]", "1 if 2 else 3", "not 1", "f()", "-None"])
                    .to_owned(),
                false => self.bytes(),
            },
            9 | 10 => self.sequence("[", "]", depth),
            11 => self.sequence("(", ")", depth),
            12 => {
                // Most elements of a set must be such as can be keys.
                let depth = if self.is_wrong() { depth } else { 1 };
                self.sequence("{", "}", depth)
            }
            _ => self.dictionary(depth),
        }
    }

    fn sequence(&mut self, open: &str, close: &str, depth: usize) -> String {
        let mut out = open.to_owned();
        for _ in 0..self.0.random_range(0..4) {
            out = format!("{out}{}{}{}", self.space(), self.value(depth - 1), self.space());
            if !self.is_wrong() {
                out.push(',');
            }
        }
        format!("{out}{}{close}", self.space())
    }

    fn dictionary(&mut self, depth: usize) -> String {
        let mut out = "{".to_owned();
        for _ in 0..self.0.random_range(0..6) {
            let key = match self.chance(80) {
                true => self
                    .one_of(&["'name'", "\"depends\"", "'a'", "u'a'", "1", "True", "1.0", "(1, 'a')", "b'a'"])
                    .to_owned(),
                false if self.is_wrong() => self.value(depth - 1),
                false => self.value(0),
            };
            let (a, b, c) = (self.space(), self.space(), self.space());
            out = format!("{out}{a}{key}{b}:{c}{},", self.value(depth - 1));
        }
        format!("{out}{}}}", self.space())
    }

    fn source(&mut self) -> String {
        let before = match self.chance(60) {
            true => "",
            false if self.is_wrong() => "\n ",
            false => self.one_of(&[
                " ",
                "\t ",
                "\n",
                "# -*- coding: utf-8 -*-\n",
                "#!/usr/bin/python\n\n# c\n",
                "\x0c",
            ]),
        };
        let mut after =
            self.one_of(&["", "\n", "  # end", "\n\n# end\n", "\n   \n", ",", ", 1", "\r\n", "\n  # end"]);
        if self.is_wrong() {
            after = "\n   ";
        }
        let value = if self.chance(80) { self.dictionary(3) } else { self.value(3) };
        let mut source = format!("{before}{value}{after}");
        if self.chance(30) {
            self.damage(&mut source);
        }
        source
    }

    /// Takes a character away, or puts one in.
    fn damage(&mut self, source: &mut String) {
        let places: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
        if places.is_empty() {
            return;
        }
        let at = places[self.0.random_range(0..places.len())];
        if self.chance(50) {
            source.remove(at);
        } else {
            let pieces = [
                "'", "\"", "[", "]", "{", "}", "(", ")", ",", ":", "\\", "\n", "#", ".", "_", "j", "e", "x",
                "0", "9", "é", "-", "+", " ", "\t", "\r", "b", "*", "=", ";", "@", "\u{a0}", "\u{feff}",
            ];
            source.insert_str(at, self.one_of(&pieces));
        }
    }
}

#[test]
fn ten_thousand_sources_mean_the_same_to_python() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3 to compare with");
        return;
    }
    let mut maker = Maker(StdRng::seed_from_u64(SEED));
    let sources: Vec<String> = (0..CASES).map(|_| maker.source()).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sources.json");
    fs::write(&file, serde_json::to_vec(&sources).unwrap()).unwrap();
    let output = Command::new("python3").args(["-W", "ignore", "-c", PYTHON]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().count(), CASES);
    let mut differ = Vec::new();
    let mut refused = 0;
    for (source, theirs) in sources.iter().zip(theirs.lines()) {
        let unified = source.replace("\r\n", "\n").replace('\r', "\n");
        let ours = parse(&unified).map_or_else(|_| "refused".to_owned(), |parsed| dump(&parsed.value));
        refused += usize::from(theirs == "refused");
        if ours != theirs {
            differ.push(format!("{source:?}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {CASES} differ:\n{}",
        differ.len(),
        differ[..differ.len().min(20)].join("\n")
    );
    // A test in which nearly all is refused would prove little.
    assert!((CASES / 10..CASES / 2).contains(&refused), "{refused} are refused");
}
