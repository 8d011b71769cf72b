//! `docs`: the tables in docs/ that are made from the sources; `check` says when one is out of date.

use std::fs;

use crate::context::Context;
use crate::process::Failure;
use crate::progress::note;

/// The page, and the crates whose limits it lists.
const PAGE: &str = "docs/documents.md";
const CRATES: [&str; 5] =
    ["vivim-doc", "vivim-documents", "vivim-store", "vivim-social", "vivim-proto"];

/// Around what is made.
const BEGIN: &str = "<!-- limits: made by `cargo xtask docs` -->";
const END: &str = "<!-- end of limits -->";

/// Writes the tables.
pub(crate) fn write(cx: &Context) -> Result<(), Failure> {
    let page = cx.path(PAGE);
    fs::write(&page, fresh(cx)?).map_err(|e| failure(format!("{PAGE}: {e}")))?;
    note(PAGE);
    Ok(())
}

/// Whether the tables are those that the sources make.
pub(crate) fn check(cx: &Context) -> Result<(), Failure> {
    if read(cx, PAGE)? == fresh(cx)? {
        return Ok(());
    }
    let what = format!("The table of limits in {PAGE} is out of date");
    Err(Failure::new(what, "Run `cargo xtask docs`."))
}

/// The page with the tables of now.
fn fresh(cx: &Context) -> Result<String, Failure> {
    let page = read(cx, PAGE)?;
    let missing = || failure(format!("{PAGE} lacks `{BEGIN}` or `{END}`"));
    let (head, rest) = page.split_once(BEGIN).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(END).ok_or_else(missing)?;
    let mut tables = String::new();
    for name in CRATES {
        let limits = limits(&read(cx, &format!("crates/{name}/src/limits.rs"))?);
        tables.push_str(&format!("\n### `{name}`\n\n| limit | value | what |\n|---|---|---|\n"));
        for Limit { name, value, what } in limits {
            tables.push_str(&format!("| `{name}` | `{value}` | {what} |\n"));
        }
    }
    Ok(format!("{head}{BEGIN}\n{tables}\n{END}{tail}"))
}

fn read(cx: &Context, path: &str) -> Result<String, Failure> {
    fs::read_to_string(cx.path(path)).map_err(|e| failure(format!("{path}: {e}")))
}

fn failure(what: String) -> Failure {
    Failure::new(what, "Look at xtask/src/docs.rs.")
}

#[derive(Debug, PartialEq, Eq)]
struct Limit {
    name: String,
    value: String,
    what: String,
}

/// The public constants of a file with what their docs say.
fn limits(source: &str) -> Vec<Limit> {
    let mut found = Vec::new();
    let mut what = Vec::new();
    let mut lines = source.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("///") {
            what.push(text.trim());
        } else if let Some(declared) = line.strip_prefix("pub const ") {
            let mut declared = declared.to_owned();
            while !declared.contains(';') {
                let Some(more) = lines.next() else { break };
                declared.push(' ');
                declared.push_str(more);
            }
            if let Some((name, value)) = parse(&declared) {
                found.push(Limit { name, value, what: cell(&what.join(" ")) });
            }
            what.clear();
        } else if !line.starts_with("#[") {
            what.clear();
        }
    }
    found
}

/// `NAME: Type = value;`
fn parse(declared: &str) -> Option<(String, String)> {
    let (name, rest) = declared.split_once(':')?;
    let (_, value) = rest.split_once('=')?;
    let value = value.split(';').next()?;
    Some((name.trim().to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Text that stands in a table: links to other items become their names.
fn cell(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        out.push_str(&rest[..=at]);
        rest = rest[at..].split_once(')').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out.replace('|', "\\|").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_its_name_its_value_and_its_docs() {
        let source = "//! Page.\n\n/// Bytes of an [`x`](crate::X);\n/// see there.\npub const MAX: usize =\n    4 * 1024;\n";
        let limit = Limit {
            name: "MAX".into(),
            value: "4 * 1024".into(),
            what: "Bytes of an `x`; see there.".into(),
        };
        assert_eq!(limits(source), [limit]);
    }

    #[test]
    fn docs_of_something_else_are_not_a_limits() {
        let source = "/// Not this.\nfn f() {}\npub const A: u8 = 1;\n";
        assert_eq!(limits(source)[0].what, "");
    }
}
