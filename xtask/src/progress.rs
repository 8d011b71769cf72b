//! What the person in front of the terminal reads.
//!
//! Three kinds of line: a step that begins, a step that was skipped because it is done, and a note.
//! They go to stderr, so that the output of the programs that are run stays on stdout.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// A running step; [`Step::done`] prints how long it took.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    started: Instant,
}

/// Announces a step.
pub(crate) fn step(name: impl Display) -> Step {
    eprintln!("==> {name}");
    Step { name: name.to_string(), started: Instant::now() }
}

/// Says that a step needed nothing.
pub(crate) fn skipped(name: impl Display, why: impl Display) {
    eprintln!(" -- {name}: {why}");
}

/// Says something worth knowing that is neither a step nor a failure.
pub(crate) fn note(text: impl Display) {
    eprintln!("    {text}");
}

/// A duration the way people say it.
pub(crate) fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

impl Step {
    /// The step succeeded.
    pub(crate) fn done(self) {
        eprintln!(" ok {} ({})", self.name, human(self.started.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_told_in_minutes() {
        assert_eq!(human(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(human(Duration::from_secs(125)), "2 min 05 s");
    }
}
