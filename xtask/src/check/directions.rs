//! Who may depend on whom.
//!
//! The table is the architecture in the form of a test. Two kinds of rule: which crates of ours a
//! crate may name, and which foreign crates it must not reach, over however many steps. The second
//! kind is a security property for the relay: what doesn't link a document engine can't read one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Verdict;
use crate::context::Context;
use crate::process::Failure;
use crate::progress::note;

/// What one of our crates is allowed.
#[derive(Debug)]
struct Rule {
    package: &'static str,
    /// Our crates that it may depend on directly; nothing else of ours.
    may_use: &'static [&'static str],
    /// Crates that must not appear anywhere below it.
    never_reaches: &'static [&'static str],
}

/// In the order of the dependencies. A crate of ours that isn't listed is refused.
const RULES: &[Rule] = &[
    Rule {
        package: "vivim-proto",
        may_use: &[],
        never_reaches: &[
            "yrs",
            "libp2p",
            "libp2p-core",
            "tokio",
            "web-sys",
            "js-sys",
            "wasm-bindgen",
            "futures",
            "web-time",
            "getrandom",
            "futures-timer",
        ],
    },
    Rule {
        package: "vivim-doc",
        may_use: &["vivim-proto"],
        never_reaches: &["libp2p", "libp2p-core", "tokio", "axum"],
    },
    Rule {
        package: "vivim-store",
        may_use: &["vivim-proto"],
        never_reaches: &["yrs", "libp2p", "libp2p-core", "axum", "rusqlite"],
    },
    Rule {
        package: "vivim-documents",
        may_use: &["vivim-proto", "vivim-doc", "vivim-store", "vivim-node"],
        never_reaches: &["axum"],
    },
    Rule {
        package: "vivim-social",
        may_use: &["vivim-proto", "vivim-doc"],
        never_reaches: &["libp2p", "libp2p-core", "tokio", "web-sys", "axum"],
    },
    Rule { package: "vivim-webrtc", may_use: &[], never_reaches: &["yrs", "axum"] },
    Rule {
        package: "vivim-node",
        may_use: &["vivim-proto", "vivim-webrtc"],
        never_reaches: &["yrs", "axum", "serde-wasm-bindgen"],
    },
    Rule {
        package: "vivim-wasm",
        may_use: &[
            "vivim-proto",
            "vivim-doc",
            "vivim-store",
            "vivim-documents",
            "vivim-social",
            "vivim-node",
        ],
        never_reaches: &["axum"],
    },
    Rule {
        package: "vivim-relay",
        may_use: &["vivim-proto"],
        never_reaches: &["yrs", "vivim-doc", "web-sys"],
    },
    Rule {
        package: "vivim-wasm-tests",
        may_use: &[
            "vivim-proto",
            "vivim-doc",
            "vivim-store",
            "vivim-documents",
            "vivim-social",
            "vivim-webrtc",
            "vivim-node",
            "vivim-wasm",
        ],
        never_reaches: &[],
    },
    Rule { package: "xtask", may_use: &[], never_reaches: &["libp2p", "yrs", "tokio"] },
];

/// The targets we build for; what only some other system needs doesn't count.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "wasm32-unknown-unknown"];

/// Checks the table against the manifests and against what cargo resolves for each crate alone.
pub(super) fn check(cx: &Context) -> Result<Verdict, Failure> {
    let metadata = cx
        .cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .remedy("Run `cargo update --workspace` if the lock file is old.")
        .read()?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|e| {
        Failure::new(format!("cargo metadata: {e}"), "Update cargo to the workspace's version.")
    })?;
    let manifests = manifests(&metadata);
    let mut problems: BTreeSet<String> = manifests.iter().flat_map(direct_violations).collect();
    for rule in RULES.iter().filter(|rule| !rule.never_reaches.is_empty()) {
        if manifests.iter().any(|manifest| manifest.name == rule.package) {
            for target in TARGETS {
                problems.extend(forbidden_paths(&tree(cx, rule.package, target)?, rule));
            }
        }
    }
    if problems.is_empty() {
        return Ok(Verdict::Passed);
    }
    for problem in &problems {
        note(problem);
    }
    let what = format!("{} dependencies point the wrong way", problems.len());
    Err(Failure::new(what, "ARCHITECTURE.md says who may depend on whom, and why."))
}

/// A crate of ours and its direct dependencies, without those of tests and build scripts.
#[derive(Debug, PartialEq, Eq)]
struct Manifest {
    name: String,
    uses: Vec<Use>,
}

#[derive(Debug, PartialEq, Eq)]
struct Use {
    name: String,
    /// Whether it is for browsers only.
    wasm_only: bool,
}

fn manifests(metadata: &Value) -> Vec<Manifest> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = |package: &Value| Manifest {
        name: text(&package["name"]),
        uses: list(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| Use {
                name: text(&dependency["name"]),
                wasm_only: text(&dependency["target"]).contains("wasm32"),
            })
            .collect(),
    };
    list(&metadata["packages"]).iter().map(manifest).collect()
}

/// Dependencies between our crates that the table doesn't have.
fn direct_violations(manifest: &Manifest) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.package == manifest.name) else {
        return vec![format!("{} has no rule in xtask/src/check/directions.rs", manifest.name)];
    };
    let is_ours = |name: &str| RULES.iter().any(|rule| rule.package == name);
    let mut problems = Vec::new();
    for used in manifest.uses.iter().filter(|used| is_ours(&used.name)) {
        if !rule.may_use.contains(&used.name.as_str()) {
            problems.push(format!("{} must not depend on {}", rule.package, used.name));
        } else if used.name == "vivim-webrtc" && rule.package == "vivim-node" && !used.wasm_only {
            // The transport for browsers is for browsers.
            problems.push("vivim-node must depend on vivim-webrtc for wasm32 only".to_owned());
        }
    }
    problems
}

/// The dependency tree of one crate alone: the features of its neighbours in the workspace must not
/// bring in what it doesn't ask for.
fn tree(cx: &Context, package: &str, target: &str) -> Result<String, Failure> {
    cx.cargo()
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "depth", "--format", " {p}"])
        .args(["--package", package, "--target", target])
        .remedy("Run `cargo update --workspace` if the lock file is old.")
        .read()
}

/// The way to each forbidden crate in the output of `cargo tree`.
fn forbidden_paths(tree: &str, rule: &Rule) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name)) = (words.next(), words.next()) else { continue };
        let Ok(depth) = depth.parse::<usize>() else { continue };
        path.truncate(depth);
        path.push(name);
        if rule.never_reaches.contains(&name) {
            let way = path.join(" -> ");
            problems.push(format!("{} must never reach {name}: {way}", rule.package));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(package: &str) -> &'static Rule {
        RULES.iter().find(|rule| rule.package == package).unwrap()
    }

    fn problems_of(package: &str, dependencies: &Value) -> Vec<String> {
        let metadata = json!({ "packages": [{ "name": package, "dependencies": dependencies }] });
        manifests(&metadata).iter().flat_map(direct_violations).collect()
    }

    #[test]
    fn a_relay_that_reaches_the_document_engine_is_refused_with_the_way_there() {
        let tree = "0 vivim-relay v0.1.0 (/x)\n1 axum v0.8.9\n1 helper v1.0.0\n2 yrs v0.28.1\n1 tokio v1.0.0\n";
        let problems = forbidden_paths(tree, rule("vivim-relay"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with("vivim-relay -> helper -> yrs"), "{problems:?}");
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        let dev = json!([{ "name": "vivim-doc", "kind": "dev", "target": null }]);
        assert!(problems_of("vivim-relay", &dev).is_empty());
        let normal = json!([{ "name": "vivim-doc", "kind": null, "target": null }]);
        assert_eq!(problems_of("vivim-relay", &normal).len(), 1);
    }

    #[test]
    fn a_crate_of_ours_that_is_not_in_the_table_is_refused() {
        assert_eq!(problems_of("vivim-new", &json!([])).len(), 1);
    }

    #[test]
    fn the_node_takes_the_browser_transport_for_browsers_only() {
        let with = |target: Value| {
            problems_of(
                "vivim-node",
                &json!([{ "name": "vivim-webrtc", "kind": null, "target": target }]),
            )
        };
        assert!(with(json!("cfg(target_arch = \"wasm32\")")).is_empty());
        assert_eq!(with(Value::Null).len(), 1);
    }
}
