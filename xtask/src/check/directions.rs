//! Who may depend on whom.
//!
//! The table is the architecture in the form of a test. Two kinds of rule: which crates of ours a
//! crate may name, and which foreign crates it must not reach, over however many steps. The second
//! kind is a security property for the relay: what doesn't link a document engine can't read one.

use std::collections::{BTreeMap, BTreeSet};

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
    Rule { package: "vivim-webrtc", may_use: &[], never_reaches: &["yrs", "axum"] },
    Rule {
        package: "vivim-node",
        may_use: &["vivim-proto", "vivim-webrtc"],
        never_reaches: &["yrs", "axum", "serde-wasm-bindgen"],
    },
    Rule {
        package: "vivim-wasm",
        may_use: &["vivim-proto", "vivim-doc", "vivim-node"],
        never_reaches: &["axum"],
    },
    Rule {
        package: "vivim-relay",
        may_use: &["vivim-proto"],
        never_reaches: &["yrs", "vivim-doc", "web-sys"],
    },
    Rule {
        package: "vivim-wasm-tests",
        may_use: &["vivim-proto", "vivim-doc", "vivim-webrtc", "vivim-node", "vivim-wasm"],
        never_reaches: &[],
    },
    Rule { package: "xtask", may_use: &[], never_reaches: &["libp2p", "yrs", "tokio"] },
];

/// Checks the table against what cargo resolved.
pub(super) fn check(cx: &Context) -> Result<Verdict, Failure> {
    // Two platforms: what only another system needs must not count, nor hide what the browser gets.
    let mut problems = BTreeSet::new();
    for platform in [Some("x86_64-unknown-linux-gnu"), Some("wasm32-unknown-unknown")] {
        let mut run = cx.cargo().args(["metadata", "--format-version", "1", "--locked"]);
        if let Some(platform) = platform {
            run = run.args(["--filter-platform", platform]);
        }
        let metadata =
            run.remedy("Run `cargo update --workspace` if the lock file is old.").read()?;
        let metadata: Value = serde_json::from_str(&metadata).map_err(|e| {
            Failure::new(format!("cargo metadata: {e}"), "Update cargo to the workspace's version.")
        })?;
        let graph = Graph::of(&metadata);
        let is_wasm = platform.is_some_and(|name| name.starts_with("wasm32"));
        problems.extend(RULES.iter().flat_map(|rule| graph.violations(rule, is_wasm)));
        problems.extend(graph.unlisted());
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

/// Names and normal dependencies (not those of tests and build scripts) of every package.
#[derive(Debug, Default)]
struct Graph {
    names: BTreeMap<String, String>,
    uses: BTreeMap<String, Vec<String>>,
    ours: BTreeSet<String>,
}

impl Graph {
    fn of(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut graph = Self::default();
        for package in list(&metadata["packages"]) {
            graph.names.insert(text(&package["id"]), text(&package["name"]));
        }
        graph.ours = list(&metadata["workspace_members"]).iter().map(text).collect();
        for node in list(&metadata["resolve"]["nodes"]) {
            let is_normal =
                |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let uses = list(&node["deps"])
                .iter()
                .filter(|dep| is_normal(dep))
                .map(|dep| text(&dep["pkg"]))
                .collect();
            graph.uses.insert(text(&node["id"]), uses);
        }
        graph
    }

    fn id_of_ours(&self, name: &str) -> Option<&String> {
        self.ours.iter().find(|id| self.name(id) == name)
    }

    fn name(&self, id: &str) -> &str {
        self.names.get(id).map_or("?", String::as_str)
    }

    fn uses(&self, id: &str) -> &[String] {
        self.uses.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    fn violations(&self, rule: &Rule, is_wasm: bool) -> Vec<String> {
        let Some(id) = self.id_of_ours(rule.package) else { return Vec::new() };
        let mut problems: Vec<String> = self
            .uses(id)
            .iter()
            .filter(|used| self.ours.contains(*used))
            .map(|used| self.name(used))
            .filter(|name| !rule.may_use.contains(name))
            .map(|name| format!("{} must not depend on {name}", rule.package))
            .collect();
        // The transport for browsers is for browsers.
        if rule.package == "vivim-node"
            && !is_wasm
            && self.uses(id).iter().any(|used| self.name(used) == "vivim-webrtc")
        {
            problems.push("vivim-node must depend on vivim-webrtc for wasm32 only".to_owned());
        }
        for forbidden in rule.never_reaches {
            if let Some(path) = self.path_to(id, forbidden) {
                problems.push(format!("{} must never reach {forbidden}: {path}", rule.package));
            }
        }
        problems
    }

    /// The shortest way from a package to one with that name.
    fn path_to(&self, from: &str, name: &str) -> Option<String> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(id) = queue.pop_front() {
            for used in self.uses(id) {
                if used == from || came_from.contains_key(used.as_str()) {
                    continue;
                }
                came_from.insert(used, id);
                if self.name(used) == name {
                    let steps =
                        std::iter::successors(Some(used.as_str()), |id| came_from.get(id).copied());
                    let mut names: Vec<&str> = steps.map(|id| self.name(id)).collect();
                    names.reverse();
                    return Some(names.join(" -> "));
                }
                queue.push_back(used);
            }
        }
        None
    }

    fn unlisted(&self) -> Vec<String> {
        let is_listed = |id: &&String| RULES.iter().any(|rule| rule.package == self.name(id));
        let unlisted = self.ours.iter().filter(|id| !is_listed(id));
        unlisted
            .map(|id| format!("{} has no rule in xtask/src/check/directions.rs", self.name(id)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A graph of packages that are named like their ids; `ours` are workspace members.
    fn graph(ours: &[&str], edges: &[(&str, &str, Value)]) -> Graph {
        let mut ids: BTreeSet<&str> = ours.iter().copied().collect();
        ids.extend(edges.iter().flat_map(|(from, to, _)| [*from, *to]));
        let packages: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "name": id })).collect();
        let nodes: Vec<Value> = ids
            .iter()
            .map(|id| {
                let deps: Vec<Value> = edges
                    .iter()
                    .filter(|(from, _, _)| from == id)
                    .map(|(_, to, kind)| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] }))
                    .collect();
                json!({ "id": id, "deps": deps })
            })
            .collect();
        Graph::of(&json!({
            "packages": packages, "workspace_members": ours, "resolve": { "nodes": nodes },
        }))
    }

    fn rule(package: &str) -> &'static Rule {
        RULES.iter().find(|rule| rule.package == package).unwrap()
    }

    #[test]
    fn a_relay_that_reaches_the_document_engine_is_refused_with_the_way_there() {
        let edges = [("vivim-relay", "helper", Value::Null), ("helper", "yrs", Value::Null)];
        let problems = graph(&["vivim-relay"], &edges).violations(rule("vivim-relay"), false);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with("vivim-relay -> helper -> yrs"), "{problems:?}");
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        let edges =
            [("vivim-relay", "yrs", json!("dev")), ("vivim-relay", "vivim-doc", json!("dev"))];
        let graph = graph(&["vivim-relay", "vivim-doc"], &edges);
        assert!(graph.violations(rule("vivim-relay"), false).is_empty());
    }

    #[test]
    fn a_crate_of_ours_that_is_not_in_the_table_is_refused() {
        assert_eq!(graph(&["vivim-new"], &[]).unlisted().len(), 1);
    }

    #[test]
    fn the_node_takes_the_browser_transport_for_browsers_only() {
        let edges = [("vivim-node", "vivim-webrtc", Value::Null)];
        let graph = graph(&["vivim-node", "vivim-webrtc"], &edges);
        assert!(graph.violations(rule("vivim-node"), true).is_empty());
        assert_eq!(graph.violations(rule("vivim-node"), false).len(), 1);
    }

    #[test]
    fn cycles_end() {
        let edges =
            [("vivim-proto", "a", Value::Null), ("a", "b", Value::Null), ("b", "a", Value::Null)];
        assert!(graph(&["vivim-proto"], &edges).violations(rule("vivim-proto"), false).is_empty());
    }
}
