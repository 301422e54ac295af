//! Facts as Python source, in the many ways in which people write manifests.

use serde_json::Value;

/// Ways to write a manifest that differ in quotes, comments, nesting and line ends.
pub const STYLES: usize = 8;

/// A manifest with these facts, in the style of that number.
pub fn manifest(facts: &Value, style: usize) -> String {
    let style = style % STYLES;
    let mut out = match style {
        1 => "# -*- coding: utf-8 -*-\n# Copyright {2024} [someone] 'else'\n\n".to_owned(),
        2 => "#!/usr/bin/env python3\n\n\n".to_owned(),
        _ => String::new(),
    };
    let end = if style == 7 { "\r\n" } else { "\n" };
    out.push_str(&format!("{{{end}"));
    if style == 3 {
        // The last of two equal keys wins.
        out.push_str("    'installable': None,\n    'depends': ['never_this'],\n");
    }
    let fields =
        ["name", "version", "license", "depends", "external_dependencies", "installable", "auto_install"];
    for field in fields {
        let comment = if style == 1 { "  # 'not': ['this'], {" } else { "" };
        out.push_str(&format!("    {}: {},{comment}{end}", text(field, style), value(&facts[field], style)));
    }
    let description = r#"A long ] } text, with 'quotes' and "others" # no comment"#;
    match style {
        4 => out.push_str(&format!("    'description': '''\n{description}\n''' \"\"\"and é\"\"\",\n")),
        5 => out.push_str(
            "    'sequence': -0x_10, 'price': 1_0.5e-1, 'data': (), 'demo': set(), 'x': b'\\xff',\n",
        ),
        _ => {}
    }
    out.push_str(&format!("}}{end}"));
    if style == 6 {
        out.push_str("\n   # the end\n\n");
    }
    out
}

fn value(value: &Value, style: usize) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(content) => text(content, style),
        Value::Array(values) => {
            let parts: Vec<String> = values.iter().map(|part| self::value(part, style)).collect();
            match (style, parts.len()) {
                (5, 1) => format!("({},)", parts[0]),
                (5, _) => format!("({})", parts.join(", ")),
                (1, _) => {
                    format!("[\n        # 'commented',\n        {}\n    ]", parts.join(",  # why\n        "))
                }
                (6, 1..) => format!("[{},]", parts.join(" ,\\\n ")),
                _ => format!("[{}]", parts.join(", ")),
            }
        }
        Value::Object(entries) => {
            let parts: Vec<String> = entries
                .iter()
                .map(|(key, part)| format!("{}: {}", text(key, style), self::value(part, style)))
                .collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// Text as a literal. What the fixture holds needs no escape of its own.
fn text(content: &str, style: usize) -> String {
    assert!(!content.contains(['\'', '"', '\\', '\n']), "{content}");
    match style {
        0 => format!("'{content}'"),
        1 | 7 => format!("\"{content}\""),
        2 => format!("u'{content}'"),
        3 => format!("r\"{content}\""),
        4 => format!("'''{content}'''"),
        5 => {
            let middle = content.char_indices().nth(content.chars().count() / 2).map_or(0, |(at, _)| at);
            format!("('{}' \"{}\")", &content[..middle], &content[middle..])
        }
        _ => {
            content.chars().fold("'".to_owned(), |out, c| match c {
                '_' => out + "\\x5f",
                'e' => out + "\\u0065",
                'a' => out + "\\141",
                c => out + &c.to_string(),
            }) + "'"
        }
    }
}
