//! What is a literal and what is not.

use super::*;

fn value(source: &str) -> Value {
    parse(source).unwrap_or_else(|err| panic!("{source}: {err} at {}:{}", err.line, err.column)).value
}

fn place(source: &str) -> (u32, u32) {
    let err = parse(source).expect_err(source);
    (err.line, err.column)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_manifest_with_everything_that_defeats_simple_readers_is_read() {
    let source = "# -*- coding: utf-8 -*-\n# Copyright [someone] {x}\n\n{\n  'name': \"It's\" ' one',  # why: not\n  \
                  'description': \"\"\"A ] } \"quoted\"\n text\"\"\",\n  'depends': [\n    'base', # 'not_this',\n    u'sale',\n  ],\n  \
                  'installable': False,\n  'external_dependencies': {'python': ('a>=1,<2',), 'bin': []},\n  'installable': True,\n}\n\n";
    let Value::Dict(entries) = value(source) else { panic!() };
    assert_eq!(entries[0], (text("name"), text("It's one")));
    assert_eq!(entries[2].1, Value::List(vec![text("base"), text("sale")]));
    assert_eq!(entries[3], (text("installable"), Value::Bool(true)));
    let twice: Vec<u32> = parse(source)
        .unwrap()
        .entries
        .iter()
        .filter(|entry| entry.key == "installable")
        .map(|entry| entry.line)
        .collect();
    assert_eq!(twice, [12, 14]);
}

#[test]
fn what_literal_eval_accepts_is_a_value() {
    assert_eq!(value("  1"), Value::Int("1".into()));
    assert_eq!(value("1, 2"), value("(1, 2,)"));
    assert_eq!(value("\n# c\n\n{}\n   \n  # end"), Value::Dict(Vec::new()));
    assert_eq!(value("set()"), Value::Set(Vec::new()));
    assert_eq!(value("{1, True, 1.0, 2}"), Value::Set(vec![Value::Int("1".into()), Value::Int("2".into())]));
    assert_eq!(value("{1: 'a', True: 'b'}"), Value::Dict(vec![(Value::Int("1".into()), text("b"))]));
    assert_eq!(value("-(1)"), Value::Int("-1".into()));
    assert_eq!(value("1 - 2j"), Value::Complex(1.0, -2.0));
    assert_eq!(value("('a'\n 'b')"), text("ab"));
    assert_eq!(value("'a' \\\n'b'"), text("ab"));
    assert_eq!(value("..."), Value::Ellipsis);
    assert_eq!(value("[True, False, None, b'x' b'y']").as_elements().map(<[Value]>::len), Some(4));
}

#[test]
fn everything_else_is_an_error_with_its_place() {
    for (source, expected) in [
        ("", (1, 1)),
        ("# only a comment\n", (2, 1)),
        ("{'a': x}", (1, 7)),
        ("{'a': open('/etc/passwd').read()}", (1, 7)),
        ("{\n 'é': __import__('os')\n}", (2, 7)),
        ("{'a': 1 + 1}", (1, 9)),
        ("{'a': 'b' % 'c'}", (1, 11)),
        ("{'a': 'b'.upper()}", (1, 10)),
        ("['a' for a in 'b']", (1, 6)),
        ("{**{}}", (1, 2)),
        ("{'a': f'{1}'}", (1, 7)),
        ("('a'\n b'b')", (2, 2)),
        ("'a'\n'b'", (2, 1)),
        ("\n {}", (2, 2)),
        ("{[]: 1}", (1, 2)),
        ("{'a': 1", (1, 8)),
        ("[1}", (1, 3)),
        ("]", (1, 1)),
        ("'abc", (1, 1)),
        ("'''abc\n", (1, 1)),
        ("--1", (1, 1)),
        ("-True", (1, 1)),
        ("1j + 2j", (1, 4)),
        ("set((1,))", (1, 1)),
        ("{'a': 1, 'b'}", (1, 13)),
        ("{'a', 'b': 1}", (1, 10)),
        ("1 2", (1, 3)),
        ("\\ 1", (1, 1)),
        ("{}\\\n", (1, 3)),
        ("not True", (1, 1)),
        ("{'a': 1}; 2", (1, 9)),
        ("{}\n  ", (2, 1)),
    ] {
        assert_eq!(place(source), expected, "{source}");
    }
}

#[test]
fn nesting_is_bounded_and_no_depth_breaks_anything() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(200)).is_ok());
    assert_eq!(place(&nested(201)), (1, 201));
    assert_eq!(place(&"[".repeat(100_000)), (1, 201));
    assert_eq!(place(&"{'a':".repeat(100_000)).0, 1);
    assert!(parse(&"-".repeat(100_000)).is_err());
    assert!(parse(&format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000))).is_err());
}
