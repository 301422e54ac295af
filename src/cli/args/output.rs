//! Forms of what goes to stdout.

use clap::ValueEnum;

/// Form of what goes to stdout, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// One JSON document, by the schemas in docs/schemas
    Json,
    /// The same as YAML
    Yaml,
    /// For a pull request comment; diff, plan and status only
    Markdown,
    /// A graph for Graphviz; deps only
    Dot,
    /// A graph for Markdown pages; deps only
    Mermaid,
    /// A graph as a picture; deps only
    Svg,
}

impl Output {
    /// The form that all commands know; graphs are text there.
    pub fn format(self) -> Format {
        match self {
            Output::Json => Format::Json,
            Output::Yaml => Format::Yaml,
            Output::Markdown => Format::Markdown,
            Output::Text | Output::Dot | Output::Mermaid | Output::Svg => Format::Text,
        }
    }
}

/// Form of what goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document, by the schemas in docs/schemas.
    Json,
    /// The same as YAML.
    Yaml,
    /// For a pull request comment; diff, plan and status only.
    Markdown,
}
