//! `size`: what a page downloads, ours and the peer's, and the budget.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::build::REST;
use crate::context::Context;
use crate::files;
use crate::pack;
use crate::process::Failure;
use crate::progress::{note, step};
use crate::setup::npm;

/// The committed limits, in bytes.
pub(crate) const BUDGET_FILE: &str = "budget.json";

/// The three ways of counting, in the order of the report.
pub(crate) const MEASURES: [&str; 3] = ["raw", "gzip", "brotli"];

/// Bytes of one download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

impl Weight {
    /// The weight by one of [`MEASURES`].
    pub(crate) fn by(self, measure: &str) -> u64 {
        match measure {
            "gzip" => self.gzip,
            "brotli" => self.brotli,
            _ => self.raw,
        }
    }

    fn parse(output: &str) -> Option<Self> {
        // The last line, because bundlers like to talk before.
        let value: Value = serde_json::from_str(output.lines().last()?).ok()?;
        let bytes = |name: &str| value[name].as_u64();
        Some(Self { raw: bytes("raw")?, gzip: bytes("gzip")?, brotli: bytes("brotli")? })
    }
}

/// What is weighed of the package, by its name in the budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    /// What a page downloads until it's connected and in sync.
    package: Weight,
    /// What it loads behind that.
    rest: Weight,
}

impl Weights {
    /// Each with its name in the budget.
    pub(crate) fn named(self) -> [(&'static str, Weight); 2] {
        [("package", self.package), ("rest", self.rest)]
    }
}

/// Weighs both and writes `target/bench/size.json`.
pub(crate) fn run(cx: &Context) -> Result<PathBuf, Failure> {
    pack::tarball(cx)?;
    let ours = ours(cx)?;
    npm::ready(cx, "tests")?;
    let step = step("weighing the js-libp2p + yjs + noble bundle");
    let bundle = cx.node().arg(cx.path("tests/bench/size-peer.mjs")).read()?;
    let bundle = bundle.lines().last().unwrap_or_default();
    let peer = weigh(cx, &["files".into(), bundle.into()])?;
    step.done();
    let mut report = serde_json::Map::new();
    for measure in MEASURES {
        let (our_bytes, peer_bytes) = (ours.package.by(measure), peer.by(measure));
        note(format!(
            "{measure:7} ours {our_bytes:>9}  peer {peer_bytes:>9}  ratio {:.2}",
            ratio(our_bytes, peer_bytes)
        ));
        let entry =
            json!({ "ours": our_bytes, "peer": peer_bytes, "limit": null, "unit": "bytes" });
        report.insert(measure.to_owned(), entry);
        let rest = ours.rest.by(measure);
        note(format!("{measure:7} rest {rest:>9}"));
        let entry = json!({ "ours": rest, "peer": null, "limit": null, "unit": "bytes" });
        report.insert(format!("rest_{measure}"), entry);
    }
    let file = cx.target("bench/size.json");
    write_json(&file, &Value::Object(report))?;
    for line in over_budget(cx, ours)? {
        note(line);
    }
    Ok(file)
}

/// Weighs the package that was packed last.
pub(crate) fn ours(cx: &Context) -> Result<Weights, Failure> {
    npm::ready(cx, npm::TOOLS)?;
    let stage = pack::stage_path(cx);
    let rest = stage.join("wasm").join(REST).into_os_string();
    let out = cx.target("npm/weighed").into_os_string();
    Ok(Weights {
        package: weigh(cx, &["package".into(), stage.into(), out])?,
        rest: weigh(cx, &["files".into(), rest])?,
    })
}

/// One sentence for each limit that a weight is over.
pub(crate) fn over_budget(cx: &Context, weights: Weights) -> Result<Vec<String>, Failure> {
    let file = cx.path(BUDGET_FILE);
    let text = files::read_text(&file)?;
    let budget: Value = serde_json::from_str(&text)
        .map_err(|e| Failure::new(format!("{BUDGET_FILE}: {e}"), "It must be valid JSON."))?;
    let parts = weights.named().into_iter();
    Ok(parts.flat_map(|(name, weight)| excesses(name, &budget[name], weight)).collect())
}

fn excesses(name: &str, limits: &Value, weight: Weight) -> Vec<String> {
    let over = |measure: &&str| {
        let limit = limits[*measure].as_u64()?;
        let bytes = weight.by(measure);
        (bytes > limit)
            .then(|| format!("the {name} is {bytes} bytes {measure}, the limit is {limit}"))
    };
    MEASURES.iter().filter_map(over).collect()
}

fn weigh(cx: &Context, args: &[OsString]) -> Result<Weight, Failure> {
    let output = cx.node().arg(cx.path("xtask/npm/weigh.mjs")).args(args).read()?;
    Weight::parse(&output).ok_or_else(|| {
        let what = format!("xtask/npm/weigh.mjs printed no weight: {}", output.trim());
        Failure::new(what, "Its last line must be {\"raw\", \"gzip\", \"brotli\"} in bytes.")
    })
}

/// Reads a JSON file.
pub(crate) fn read_json(file: &Path) -> Result<Value, Failure> {
    let text = files::read_text(file)?;
    serde_json::from_str(&text).map_err(|e| {
        Failure::new(format!("{}: {e}", file.display()), "Remove it, and measure again.")
    })
}

/// Writes a JSON file, and the folder it is in.
pub(crate) fn write_json(file: &Path, value: &Value) -> Result<(), Failure> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(|e| Failure::file("Making", dir, &e))?;
    }
    files::write(file, format!("{value:#}\n"))?;
    note(format!("written: {}", file.display()));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn ratio(ours: u64, peer: u64) -> f64 {
    ours as f64 / peer as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_are_set_and_passed_count() {
        let weight = Weight { raw: 2_000_000, gzip: 700_001, brotli: 550_000 };
        let limits = json!({ "gzip": 700_000, "brotli": 550_000 });
        let excesses = excesses("package", &limits, weight);
        assert_eq!(excesses.len(), 1, "{excesses:?}");
        assert!(excesses[0].contains("gzip"));
    }

    #[test]
    fn the_weight_is_on_the_last_line() {
        let output = "bundling\n{\"raw\": 3, \"gzip\": 2, \"brotli\": 1}\n";
        assert_eq!(Weight::parse(output), Some(Weight { raw: 3, gzip: 2, brotli: 1 }));
        assert_eq!(Weight::parse("nothing"), None);
    }
}
