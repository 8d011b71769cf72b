//! `bench network` and `bench documents` measure; `bench check` compares what was measured with the
//! goals.

use serde_json::Value;

use crate::build::Relay;
use crate::context::Context;
use crate::process::Failure;
use crate::progress::{note, step};
use crate::size::{BUDGET_FILE, read_json};
use crate::test;

/// The committed goals, as ratios of two contenders in one run.
const GOALS_FILE: &str = "bench-goals.json";

/// The benches, by the name of their script, of their report and of their goals.
const BENCHES: [&str; 2] = ["network", "documents"];

/// Runs a bench, which writes `target/bench/<name>.json`.
pub(crate) fn measure(cx: &Context, name: &str, runs: u32) -> Result<(), Failure> {
    let env = test::suite_env(cx, Relay::Release)?;
    let step = step(format!("{name} bench, {runs} runs of each"));
    cx.node()
        .arg(cx.path(&format!("tests/bench/{name}.mjs")))
        .args(["--runs", &runs.to_string()])
        .envs(env)
        .remedy("The output above says which contender failed in which measurement.")
        .run()?;
    step.done();
    check(cx).or_else(|failure| {
        // Measuring succeeded; whether the goals hold is the question of `bench check`.
        note(failure.what());
        Ok(())
    })
}

/// Prints each ratio, its goal and whether it holds.
pub(crate) fn check(cx: &Context) -> Result<(), Failure> {
    let goals = read_json(&cx.path(GOALS_FILE))?;
    let mut verdicts = Vec::new();
    for name in BENCHES {
        let report = cx.target(&format!("bench/{name}.json"));
        if report.is_file() {
            verdicts.extend(ratio_verdicts(&goals[name], &read_json(&report)?));
        } else {
            note(format!("no {name} numbers: run `cargo xtask bench {name}`"));
        }
    }
    let size_file = cx.target("bench/size.json");
    if size_file.is_file() {
        let budget = read_json(&cx.path(BUDGET_FILE))?;
        verdicts.extend(size_verdicts(&budget, &read_json(&size_file)?));
    } else {
        note("no sizes: run `cargo xtask size`");
    }
    for verdict in &verdicts {
        println!("{}", verdict.line());
    }
    let missed: Vec<&str> =
        verdicts.iter().filter(|v| v.holds() != Some(true)).map(|v| v.name.as_str()).collect();
    if verdicts.is_empty() {
        let remedy = "Run `cargo xtask bench …` and `cargo xtask size` first.";
        return Err(Failure::new("There is nothing to compare", remedy));
    }
    if missed.is_empty() {
        return Ok(());
    }
    let what = format!("Goals that don't hold: {}", missed.join(", "));
    Err(Failure::new(what, "Compare the numbers in target/bench; measure on a quiet machine."))
}

/// A measured value beside its goal.
#[derive(Debug)]
struct Verdict {
    name: String,
    /// `None` when one of the two numbers wasn't measured.
    value: Option<f64>,
    at_most: f64,
    detail: String,
}

impl Verdict {
    fn holds(&self) -> Option<bool> {
        self.value.map(|value| value <= self.at_most)
    }

    fn line(&self) -> String {
        let verdict = match self.holds() {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "not measured",
        };
        let value = self.value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        format!(
            "{:34} {value:>10}  goal <= {:<10} {verdict:12} {}",
            self.name, self.at_most, self.detail
        )
    }
}

fn ratio_verdicts(goals: &Value, measured: &Value) -> Vec<Verdict> {
    let list = goals.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|goal| ratio_verdict(goal, measured)).collect()
}

fn ratio_verdict(goal: &Value, measured: &Value) -> Option<Verdict> {
    let metric = goal["metric"].as_str()?;
    let other = goal["over"].as_str()?;
    let at_most = goal["at_most"].as_f64()?;
    let numbers = &measured[metric];
    let (ours, theirs) = (numbers["ours"].as_f64(), numbers[other].as_f64());
    let value =
        ours.zip(theirs).filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs);
    let text = |number: Option<f64>| number.map_or_else(|| "-".into(), |n| format!("{n:.2}"));
    let unit = numbers["unit"].as_str().unwrap_or("");
    let detail = format!("({} / {} {unit})", text(ours), text(theirs));
    Some(Verdict { name: format!("{metric}: ours / {other}"), value, at_most, detail })
}

fn size_verdicts(budget: &Value, measured: &Value) -> Vec<Verdict> {
    let verdict = |(part, measure, metric): (&str, &str, &str)| {
        let at_most = budget[part][measure].as_f64()?;
        let value = measured[metric]["ours"].as_f64();
        let detail = "(bytes)".to_owned();
        Some(Verdict { name: format!("{part} {measure}"), value, at_most, detail })
    };
    let all = [
        ("package", "gzip", "gzip"),
        ("package", "brotli", "brotli"),
        ("rest", "gzip", "rest_gzip"),
        ("rest", "brotli", "rest_brotli"),
    ];
    all.into_iter().filter_map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_goal_holds_up_to_and_including_its_number() {
        let goals = json!([{ "metric": "dial_ms", "over": "peer", "at_most": 0.8 }]);
        let at = |ours: f64| {
            let measured = json!({ "dial_ms": { "ours": ours, "peer": 100.0, "unit": "ms" } });
            ratio_verdicts(&goals, &measured)[0].holds()
        };
        assert_eq!(at(80.0), Some(true));
        assert_eq!(at(81.0), Some(false));
    }

    #[test]
    fn a_missing_number_is_never_a_goal_that_holds() {
        let goals = json!([{ "metric": "echo", "over": "limit", "at_most": 1.5 }]);
        let measured = json!({ "echo": { "ours": 1.0, "limit": null } });
        let verdict = &ratio_verdicts(&goals, &measured)[0];
        assert_eq!(verdict.holds(), None);
        assert!(verdict.line().contains("not measured"));
    }
}
